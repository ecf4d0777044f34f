using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Wire;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>What a HELLO asks for.</summary>
internal sealed record HelloOptions
{
    private static uint _lastCorrelation;

    public Delivery Delivery { get; init; } = Delivery.NEWEST;

    public uint Leases { get; init; } = 4;

    public uint? Wakes { get; init; }

    public bool Probe { get; init; }

    /// <summary>A number that no other HELLO of this process has, so that a repeated one can be recognised.</summary>
    public uint Correlation { get; init; } = 0xC0F00000 + Interlocked.Increment(ref _lastCorrelation);

    public byte[] Build(params byte[][] more)
    {
        List<byte[]> tlvs = [Tlv.VersionRange(Limits.Version, Limits.Version), Tlv.Text(TlvType.PROGRAM, "cuframes-conformance")];
        if (Probe)
        {
            tlvs.Add(Tlv.Bytes(TlvType.PROBE, []));
        }
        else
        {
            tlvs.Add(Tlv.U32(TlvType.DELIVERY, (uint)Delivery));
            tlvs.Add(Tlv.U32(TlvType.LEASES, Leases));
            tlvs.Add(Tlv.Domain(Limits.DomainHost, 1 << (int)Limits.HandleHostMemfd));
            if (Wakes is { } wakes)
            {
                tlvs.Add(Tlv.U32(TlvType.WAKES, wakes));
            }
        }

        return Message.Build(MessageType.HELLO, Correlation, [.. tlvs, .. more]);
    }
}
