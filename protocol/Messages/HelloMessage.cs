using System.Buffers.Binary;

namespace CuFrames.Protocol.Messages;

/// <summary>HELLO: a subscriber asks for the stream, or only for its description (docs/protocol.md 3.2, and 14.2 for packets).</summary>
public sealed record HelloMessage
{
    /// <summary>Lowest version that the subscriber speaks.</summary>
    public ushort LowestVersion { get; init; } = Wire.Version;

    /// <summary>Highest version that the subscriber speaks.</summary>
    public ushort HighestVersion { get; init; } = Wire.Version;

    /// <summary>Feature bits.</summary>
    public ulong Features { get; init; }

    /// <summary>The subscriber's program name, for people.</summary>
    public string Program { get; init; } = "";

    /// <summary>Wanted delivery.</summary>
    public Delivery Delivery { get; init; } = Delivery.Newest;

    /// <summary>How many frames the subscriber wants to hold at once.</summary>
    public uint Leases { get; init; } = 1;

    /// <summary>Memory that the subscriber can map.</summary>
    public IReadOnlyList<DomainOffer> Domains { get; init; } = [];

    /// <summary>Release fences that the subscriber can do.</summary>
    public Fence Fences { get; init; } = Fence.Cpu;

    /// <summary>Ways in which the subscriber may wait.</summary>
    public Wake Wakes { get; init; } = Wake.Futex;

    /// <summary>Only the description is wanted.</summary>
    public bool IsProbe { get; init; }

    /// <summary>Packets are wanted, not frames (docs/protocol.md 14.2).</summary>
    public bool IsForPackets { get; init; }

    /// <summary>Reads a payload.</summary>
    /// <param name="payload">The bytes after the header.</param>
    /// <exception cref="ProtocolException">The payload breaks the protocol.</exception>
    public static HelloMessage Read(ReadOnlySpan<byte> payload)
    {
        TlvReader reader = new(payload);
        HelloMessage hello = new();
        bool hasRange = false, hasDelivery = false, hasLeases = false;
        List<DomainOffer> domains = [];
        while (reader.Next())
        {
            if (reader.Type == TlvType.Domain)
            {
                domains.Add(DomainOffer.Read(reader.ReadLayout(DomainOfferLayout.Size)));
                continue;
            }

            switch (reader.Type)
            {
                case TlvType.VersionRange:
                    reader.RequireFirst();
                    ReadOnlySpan<byte> range = reader.ReadLayout(4);
                    hello = hello with { LowestVersion = BinaryPrimitives.ReadUInt16LittleEndian(range), HighestVersion = BinaryPrimitives.ReadUInt16LittleEndian(range[2..]) };
                    hasRange = true;
                    break;
                case TlvType.Features:
                    reader.RequireFirst();
                    hello = hello with { Features = reader.ReadUInt64() };
                    break;
                case TlvType.Program:
                    reader.RequireFirst();
                    hello = hello with { Program = reader.ReadString(Wire.MaxProgramLength) };
                    break;
                case TlvType.Delivery:
                    reader.RequireFirst();
                    hello = hello with { Delivery = (Delivery)reader.ReadUInt32() };
                    hasDelivery = true;
                    break;
                case TlvType.Leases:
                    reader.RequireFirst();
                    hello = hello with { Leases = reader.ReadUInt32() };
                    hasLeases = true;
                    break;
                case TlvType.Fences:
                    reader.RequireFirst();
                    hello = hello with { Fences = (Fence)reader.ReadUInt32() };
                    break;
                case TlvType.Wakes:
                    reader.RequireFirst();
                    hello = hello with { Wakes = (Wake)reader.ReadUInt32() };
                    break;
                case TlvType.Probe:
                    reader.RequireFirst();
                    hello = hello with { IsProbe = true };
                    break;
                case TlvType.Packets:
                    reader.RequireFirst();
                    hello = hello with { IsForPackets = true };
                    break;
                default:
                    reader.SkipUnknown();
                    break;
            }
        }

        hello = hello with { Domains = domains };
        if (!hasRange || hello.LowestVersion > hello.HighestVersion)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, "HELLO names no usable range of versions.");
        }

        if (hello.IsProbe || hello.IsForPackets)
        {
            return hello;
        }

        if (!hasDelivery || !hasLeases || domains.Count == 0)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, "HELLO lacks DELIVERY, LEASES or DOMAIN, and is no probe.");
        }

        if (hello.Delivery is not (Delivery.Newest or Delivery.InOrder or Delivery.Lossless))
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"HELLO asks for delivery {(uint)hello.Delivery}, which the protocol does not have.");
        }

        if (hello.Leases is 0 or > ControlBlockLayout.SlotCapacity)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"HELLO asks for {hello.Leases} leases; 1 to {ControlBlockLayout.SlotCapacity} are allowed.");
        }

        return hello;
    }

    /// <summary>Writes the message.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <param name="correlationId">Repeated in the answer.</param>
    /// <returns>The message, in the buffer.</returns>
    public ReadOnlySpan<byte> Write(Span<byte> buffer, uint correlationId = 1)
    {
        TlvWriter writer = new(buffer, MessageType.Hello, correlationId, (byte)LowestVersion);
        Span<byte> range = writer.Add(TlvType.VersionRange, 4, mustUnderstand: false);
        BinaryPrimitives.WriteUInt16LittleEndian(range, LowestVersion);
        BinaryPrimitives.WriteUInt16LittleEndian(range[2..], HighestVersion);
        if (IsForPackets)
        {
            writer.Add(TlvType.Packets, 0, mustUnderstand: true);
        }

        writer.Add(TlvType.Features, Features);
        if (Program.Length > 0)
        {
            writer.Add(TlvType.Program, Program, Wire.MaxProgramLength);
        }

        if (IsProbe)
        {
            writer.Add(TlvType.Probe, 0, mustUnderstand: false);
            return writer.Finish();
        }

        if (IsForPackets)
        {
            writer.Add(TlvType.Wakes, (uint)Wakes);
            return writer.Finish();
        }

        writer.Add(TlvType.Delivery, (uint)Delivery);
        writer.Add(TlvType.Leases, Leases);
        foreach (DomainOffer domain in Domains)
        {
            domain.Write(writer.Add(TlvType.Domain, DomainOfferLayout.Size, mustUnderstand: false));
        }

        writer.Add(TlvType.Fences, (uint)Fences);
        writer.Add(TlvType.Wakes, (uint)Wakes);
        return writer.Finish();
    }
}
