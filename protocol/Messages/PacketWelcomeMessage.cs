namespace CuFrames.Protocol.Messages;

/// <summary>WELCOME of a publisher of packets (docs/protocol.md 14.3).</summary>
public sealed record PacketWelcomeMessage
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
    public PacketStreamDescription Description { get; init; } = new();

    /// <summary>The tracks there are, by number.</summary>
    public IReadOnlyList<TrackDescription> Tracks { get; init; } = [];

    /// <summary>The publisher's program name, for people; empty: not told.</summary>
    public string Program { get; init; } = "";

    /// <summary>Where packets come from, without secrets; empty: not told.</summary>
    public string Source { get; init; } = "";

    /// <summary>Why the stream is in its state, without secrets; empty: not told.</summary>
    public string StateText { get; init; } = "";

    /// <summary>Number of the subscriber in this epoch; 0 in the answer to a probe.</summary>
    public ulong SubscriberId { get; init; }

    /// <summary>Ways of waking that both can do; none in the answer to a probe.</summary>
    public Wake Wakes { get; init; } = Wake.Futex;

    /// <summary>Reads a payload.</summary>
    /// <param name="payload">The bytes after the header.</param>
    /// <exception cref="ProtocolException">The payload breaks the protocol.</exception>
    public static PacketWelcomeMessage Read(ReadOnlySpan<byte> payload)
    {
        TlvReader reader = new(payload);
        PacketWelcomeMessage welcome = new() { Wakes = Wake.None };
        bool hasPackets = false, hasVersion = false, hasFeatures = false, hasDescription = false;
        List<TrackDescription> tracks = [];
        while (reader.Next())
        {
            if (reader.Type == TlvType.Track)
            {
                tracks.Add(TrackDescription.Read(reader.ReadLayout(TrackDescriptionLayout.Size)));
                continue;
            }

            switch (reader.Type)
            {
                case TlvType.Packets:
                    reader.RequireFirst();
                    hasPackets = true;
                    break;
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
                case TlvType.PacketStream:
                    reader.RequireFirst();
                    welcome = welcome with { Description = PacketStreamDescription.Read(reader.ReadLayout(PacketStreamDescriptionLayout.Size)) };
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
                case TlvType.Wakes:
                    reader.RequireFirst();
                    welcome = welcome with { Wakes = (Wake)reader.ReadUInt32() };
                    break;
                default:
                    reader.SkipUnknown();
                    break;
            }
        }

        if (!hasPackets || !hasVersion || !hasFeatures || !hasDescription || welcome.Epoch == 0 || !StreamKey.IsValid(welcome.Key))
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                "WELCOME lacks PACKETS, or a usable VERSION, FEATURES, EPOCH, STREAM_KEY or PACKET_STREAM.");
        }

        tracks.Sort((left, right) => left.Track.CompareTo(right.Track));
        if (tracks.Count != welcome.Description.Tracks || tracks.Where((track, number) => track.Track != number).Any())
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                $"WELCOME has {welcome.Description.Tracks} tracks and describes {string.Join(", ", tracks.Select(track => track.Track))}.");
        }

        return welcome with { Tracks = tracks };
    }

    /// <summary>Checks what only a subscriber's WELCOME has.</summary>
    /// <exception cref="ProtocolException">Something is missing or out of range.</exception>
    public void RequireSubscription()
    {
        if (SubscriberId == 0 || !Wakes.HasFlag(Wake.Futex))
        {
            throw new ProtocolException(ErrorCode.ProtocolError, "WELCOME lacks a usable SUBSCRIBER_ID or WAKES.");
        }
    }

    /// <summary>Writes the message.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <param name="correlationId">The HELLO's.</param>
    /// <returns>The message, in the buffer.</returns>
    public ReadOnlySpan<byte> Write(Span<byte> buffer, uint correlationId)
    {
        TlvWriter writer = new(buffer, MessageType.Welcome, correlationId, (byte)Version);
        writer.Add(TlvType.Packets, 0, mustUnderstand: true);
        writer.Add(TlvType.Version, Version);
        writer.Add(TlvType.Features, Features);
        writer.Add(TlvType.Epoch, Epoch);
        writer.Add(TlvType.StreamKey, Key, (2 * StreamKey.MaxNameLength) + 1);
        Description.Write(writer.Add(TlvType.PacketStream, PacketStreamDescriptionLayout.Size, mustUnderstand: false));
        foreach (TrackDescription track in Tracks)
        {
            track.Write(writer.Add(TlvType.Track, TrackDescriptionLayout.Size, mustUnderstand: false));
        }

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
            writer.Add(TlvType.Wakes, (uint)Wakes);
        }

        return writer.Finish();
    }
}
