using System.Buffers.Binary;

namespace CuFrames.Protocol.Messages;

/// <summary>WELCOME: the publisher accepts (docs/protocol.md 3.3).</summary>
public sealed record WelcomeMessage
{
    /// <summary>The version chosen.</summary>
    public uint Version { get; init; } = Wire.Version;

    /// <summary>Feature bits that both have.</summary>
    public ulong Features { get; init; }

    /// <summary>Random id of this run of the publisher.</summary>
    public ulong Epoch { get; init; }

    /// <summary>The key.</summary>
    public string Key { get; init; } = "";

    /// <summary>The stream as it is now.</summary>
    public StreamDescription Description { get; init; } = new();

    /// <summary>The publisher's program name, for people; empty: not told.</summary>
    public string Program { get; init; } = "";

    /// <summary>Where frames come from, without secrets; empty: not told.</summary>
    public string Source { get; init; } = "";

    /// <summary>Why the stream is in its state, without secrets; empty: not told.</summary>
    public string StateText { get; init; } = "";

    /// <summary>Number of the subscriber in this epoch; 0 in the answer to a probe.</summary>
    public ulong SubscriberId { get; init; }

    /// <summary>Granted delivery.</summary>
    public Delivery Delivery { get; init; }

    /// <summary>Frames that may be held at once.</summary>
    public uint Leases { get; init; }

    /// <summary>Release fences that both can do; none in the answer to a probe.</summary>
    public Fence Fences { get; init; } = Fence.Cpu;

    /// <summary>Ways of waking that both can do; none in the answer to a probe.</summary>
    public Wake Wakes { get; init; } = Wake.Futex;

    /// <summary>The cursor that a subscriber begins with; null: just before the newest frame.</summary>
    public ulong? Start { get; init; }

    /// <summary>Reads a payload.</summary>
    /// <param name="payload">The bytes after the header.</param>
    /// <exception cref="ProtocolException">The payload breaks the protocol.</exception>
    public static WelcomeMessage Read(ReadOnlySpan<byte> payload)
    {
        TlvReader reader = new(payload);
        WelcomeMessage welcome = new() { Fences = Fence.None, Wakes = Wake.None };
        bool hasVersion = false, hasFeatures = false, hasDescription = false;
        while (reader.Next())
        {
            switch (reader.Type)
            {
                case TlvType.Version:
                    reader.RequireFirst();
                    welcome = welcome with { Version = reader.ReadUInt32() };
                    hasVersion = true;
                    break;
                case TlvType.Features:
                    reader.RequireFirst();
                    welcome = welcome with { Features = reader.ReadUInt64() };
                    hasFeatures = true;
                    break;
                case TlvType.Epoch:
                    reader.RequireFirst();
                    welcome = welcome with { Epoch = reader.ReadUInt64() };
                    break;
                case TlvType.StreamKey:
                    reader.RequireFirst();
                    welcome = welcome with { Key = reader.ReadString((2 * StreamKey.MaxNameLength) + 1) };
                    break;
                case TlvType.StreamDescription:
                    reader.RequireFirst();
                    welcome = welcome with { Description = StreamDescription.Read(reader.ReadLayout(StreamDescriptionLayout.Size)) };
                    hasDescription = true;
                    break;
                case TlvType.Program:
                    reader.RequireFirst();
                    welcome = welcome with { Program = reader.ReadString(Wire.MaxProgramLength) };
                    break;
                case TlvType.Source:
                    reader.RequireFirst();
                    welcome = welcome with { Source = reader.ReadString(Wire.MaxTextLength) };
                    break;
                case TlvType.StateText:
                    reader.RequireFirst();
                    welcome = welcome with { StateText = reader.ReadString(Wire.MaxTextLength) };
                    break;
                case TlvType.SubscriberId:
                    reader.RequireFirst();
                    welcome = welcome with { SubscriberId = reader.ReadUInt64() };
                    break;
                case TlvType.Delivery:
                    reader.RequireFirst();
                    welcome = welcome with { Delivery = (Delivery)reader.ReadUInt32() };
                    break;
                case TlvType.Leases:
                    reader.RequireFirst();
                    welcome = welcome with { Leases = reader.ReadUInt32() };
                    break;
                case TlvType.Fences:
                    reader.RequireFirst();
                    welcome = welcome with { Fences = (Fence)reader.ReadUInt32() };
                    break;
                case TlvType.Wakes:
                    reader.RequireFirst();
                    welcome = welcome with { Wakes = (Wake)reader.ReadUInt32() };
                    break;
                case TlvType.Start:
                    reader.RequireFirst();
                    welcome = welcome with { Start = reader.ReadUInt64() };
                    break;
                default:
                    reader.SkipUnknown();
                    break;
            }
        }

        if (!hasVersion || !hasFeatures || !hasDescription || welcome.Epoch == 0 || !StreamKey.IsValid(welcome.Key))
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                "WELCOME lacks a usable VERSION, FEATURES, EPOCH, STREAM_KEY or STREAM_DESCRIPTION.");
        }

        if (welcome.Start > welcome.Description.Head)
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                $"WELCOME's START is {welcome.Start}, and the newest sequence is {welcome.Description.Head}.");
        }

        return welcome;
    }

    /// <summary>Checks what only a subscriber's WELCOME has.</summary>
    /// <exception cref="ProtocolException">Something is missing or out of range.</exception>
    public void RequireSubscription()
    {
        if (SubscriberId == 0 || Leases is 0 or > ControlBlockLayout.SlotCapacity ||
            Delivery is not (Delivery.Newest or Delivery.InOrder or Delivery.Lossless) ||
            !Fences.HasFlag(Fence.Cpu) || !Wakes.HasFlag(Wake.Futex))
        {
            throw new ProtocolException(ErrorCode.ProtocolError, "WELCOME lacks a usable SUBSCRIBER_ID, LEASES, DELIVERY, FENCES or WAKES.");
        }
    }

    /// <summary>Writes the message.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <param name="correlationId">The HELLO's.</param>
    /// <returns>The message, in the buffer.</returns>
    public ReadOnlySpan<byte> Write(Span<byte> buffer, uint correlationId)
    {
        TlvWriter writer = new(buffer, MessageType.Welcome, correlationId, (byte)Version);
        writer.Add(TlvType.Version, Version);
        writer.Add(TlvType.Features, Features);
        writer.Add(TlvType.Epoch, Epoch);
        writer.Add(TlvType.StreamKey, Key, (2 * StreamKey.MaxNameLength) + 1);
        Description.Write(writer.Add(TlvType.StreamDescription, StreamDescriptionLayout.Size, mustUnderstand: false));
        if (Program.Length > 0)
        {
            writer.Add(TlvType.Program, Program, Wire.MaxProgramLength);
        }

        if (Source.Length > 0)
        {
            writer.Add(TlvType.Source, Source, Wire.MaxTextLength);
        }

        if (StateText.Length > 0)
        {
            writer.Add(TlvType.StateText, StateText, Wire.MaxTextLength);
        }

        if (SubscriberId != 0)
        {
            writer.Add(TlvType.SubscriberId, SubscriberId);
            writer.Add(TlvType.Delivery, (uint)Delivery);
            writer.Add(TlvType.Leases, Leases);
            writer.Add(TlvType.Fences, (uint)Fences);
            writer.Add(TlvType.Wakes, (uint)Wakes);
            if (Start is { } start)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(writer.Add(TlvType.Start, 8, mustUnderstand: true), start);
            }
        }

        return writer.Finish();
    }
}
