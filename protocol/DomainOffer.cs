using System.Buffers.Binary;

namespace CuFrames.Protocol;

/// <summary>One memory domain that a subscriber can map (docs/protocol.md 3.2).</summary>
/// <param name="Domain">Where the memory is.</param>
/// <param name="HandleKinds">Bit mask of 1 shifted left by <see cref="HandleKind"/>.</param>
/// <param name="Device">UUID of the CUDA device; empty for host.</param>
public readonly record struct DomainOffer(MemoryDomain Domain, uint HandleKinds, Guid Device)
{
    /// <summary>Main memory through sealed memfds: what every Linux process can map.</summary>
    public static DomainOffer Host { get; } = new(MemoryDomain.Host, 1u << (int)HandleKind.HostMemfd, Guid.Empty);

    /// <summary>Whether memory of this kind on this device can be mapped.</summary>
    /// <param name="domain">Where the memory is.</param>
    /// <param name="kind">How it travels.</param>
    /// <param name="device">The CUDA device.</param>
    public bool Fits(MemoryDomain domain, HandleKind kind, Guid device) =>
        Domain == domain && (HandleKinds & (1u << (int)kind)) != 0 && Device == device;

    internal static DomainOffer Read(ReadOnlySpan<byte> value) => new(
        (MemoryDomain)BinaryPrimitives.ReadUInt32LittleEndian(value[DomainOfferLayout.DomainOffset..]),
        BinaryPrimitives.ReadUInt32LittleEndian(value[DomainOfferLayout.HandleKindsOffset..]),
        new Guid(value.Slice(DomainOfferLayout.DeviceUuidOffset, 16), bigEndian: true));

    internal void Write(Span<byte> value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(value[DomainOfferLayout.DomainOffset..], (uint)Domain);
        BinaryPrimitives.WriteUInt32LittleEndian(value[DomainOfferLayout.HandleKindsOffset..], HandleKinds);
        Device.TryWriteBytes(value.Slice(DomainOfferLayout.DeviceUuidOffset, 16), bigEndian: true, out _);
    }
}
