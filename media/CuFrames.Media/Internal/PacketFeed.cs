using System.Globalization;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>
/// Publishes what one camera's connections send, one after the other, as the packets of one stream: which track of a connection is which of the
/// stream's, when its parameters change, where it was interrupted. The pump's thread uses it.
/// </summary>
/// <param name="publisher">The stream of packets.</param>
/// <param name="sourceText">The source's name for people, without secrets.</param>
internal sealed unsafe class PacketFeed(PacketPublisher publisher, string sourceText)
{
    /// <summary>The stream's track for each track of the connection; null: it is left out.</summary>
    private readonly PacketTrack?[] _tracks = new PacketTrack?[PacketBlockLayout.TrackCapacity];

    /// <summary>For each track of the connection, whether its next packet follows an interruption.</summary>
    private readonly bool[] _isInterrupted = new bool[PacketBlockLayout.TrackCapacity];
    private bool _hadConnection;
    private bool _isAnnounced;
    private string _obstacles = "";

    /// <summary>The newest key frame of this connection's video from which on every packet of the video was published; 0: there is none.</summary>
    private ulong _newestKey;

    /// <summary>The stream of packets.</summary>
    internal PacketPublisher Publisher => publisher;

    /// <summary>Whether this connection has sent a key frame.</summary>
    internal bool HasHadKey { get; private set; }

    /// <summary>Where decoding may begin so that it comes up to the present: the newest key frame, if the ring still holds it; else 0.</summary>
    internal ulong NewestKey => _newestKey >= publisher.Oldest ? _newestKey : 0;

    /// <summary>The stream's track of the video that is decoded; null: there is none yet, or it cannot be published.</summary>
    internal PacketTrack? Video => _tracks[0];

    /// <summary>A connection has been opened: its tracks become those of the stream, in the order of their kind.</summary>
    /// <param name="handle">The source.</param>
    internal void Begin(AvSourceHandle handle)
    {
        Array.Clear(_tracks);
        Array.Fill(_isInterrupted, _hadConnection);
        _hadConnection = true;
        HasHadKey = false;
        _newestKey = 0;
        _isAnnounced = false;
        _obstacles = "";
        AvNative.Track track = new() { Size = (uint)sizeof(AvNative.Track) };
        for (int number = 0; number < _tracks.Length && AvNative.GetTrack(handle, (uint)number, &track) == AvNative.Ok; number++)
        {
            TrackParameters parameters = ParametersOf(in track);
            try
            {
                _tracks[number] = Find(KindOf(track.Kind), parameters, LanguageOf(in track));
            }
            catch (CuFramesException error) when (error.Code == ErrorCode.ConfigurationInvalid)
            {
                _obstacles += $" Track {number} ({parameters.CodecName}) is left out: {error.Message}";
            }
        }
    }

    /// <summary>Publishes the packet that was read last.</summary>
    /// <param name="handle">The source.</param>
    /// <param name="packet">The packet.</param>
    /// <returns>Its sequence; 0: it could not be published, which is counted.</returns>
    internal ulong Publish(AvSourceHandle handle, in AvNative.PacketInfo packet)
    {
        if (_tracks[packet.Track] is not { } track)
        {
            return 0;
        }

        if ((packet.Flags & AvNative.PacketNewParameters) != 0)
        {
            Change(handle, packet.Track, track);
        }

        if (!_isAnnounced)
        {
            _isAnnounced = true;
            publisher.SetState(StreamState.Live, Describe());
        }

        PacketMetadata metadata = new()
        {
            Pts = packet.Pts,
            Dts = packet.Dts,
            Duration = packet.Duration,
            Flags = FlagsOf(packet.Flags) | (_isInterrupted[packet.Track] ? PacketFlags.Discontinuity : 0),
            ArrivalTime = packet.Arrival,
            CaptureTime = packet.CaptureWall,
        };
        if (packet.Bytes > publisher.MaxPacketSize)
        {
            return Refuse(packet, track, metadata);
        }

        _isInterrupted[packet.Track] = false;
        ulong sequence = publisher.Publish(track, new ReadOnlySpan<byte>((void*)packet.Data, (int)packet.Bytes), metadata);
        if (packet.Track == 0 && (packet.Flags & AvNative.PacketKey) != 0)
        {
            HasHadKey = true;
            _newestKey = sequence;
        }

        return sequence;
    }

    private static PacketFlags FlagsOf(uint flags) =>
        ((flags & AvNative.PacketKey) != 0 ? PacketFlags.Key : 0) |
        ((flags & AvNative.PacketCorrupt) != 0 ? PacketFlags.Corrupt : 0) |
        ((flags & AvNative.PacketDisposable) != 0 ? PacketFlags.Disposable : 0);

    private static TrackKind KindOf(uint kind) => kind switch
    {
        AvNative.TrackVideo => TrackKind.Video,
        AvNative.TrackAudio => TrackKind.Audio,
        _ => TrackKind.Data,
    };

    /// <summary>What containers say here is not always a code; then it is not known.</summary>
    private static string LanguageOf(in AvNative.Track track)
    {
        string language = AvNative.TextOf(track.Language);
        return language.All(char.IsAsciiLetter) ? language : "";
    }

    private static TrackParameters ParametersOf(in AvNative.Track track)
    {
        string codec = AvNative.TextOf(track.Codec);
        return new TrackParameters
        {
            Codec = Codecs.FromName(codec),
            CodecName = codec,
            TimeBaseNumerator = track.TimeBaseNumerator,
            TimeBaseDenominator = track.TimeBaseDenominator,
            Width = (int)track.Width,
            Height = (int)track.Height,
            FrameRateNumerator = track.FrameRateNumerator,
            FrameRateDenominator = track.FrameRateDenominator,
            SampleAspectNumerator = track.SampleAspectNumerator,
            SampleAspectDenominator = track.SampleAspectDenominator,
            SampleRate = (int)track.SampleRate,
            Channels = (int)track.Channels,
            ChannelLayout = track.ChannelLayout,
            SamplesPerPacket = (int)track.SamplesPerPacket,
            BitsPerSample = (int)track.BitsPerSample,
            BlockAlign = (int)track.BlockAlign,
            InitialPadding = (int)track.InitialPadding,
            SeekPreroll = (int)track.SeekPreroll,
            ReorderDelay = (int)track.ReorderDelay,
            ColourMatrix = track.Matrix,
            ColourRange = (ColourRange)track.Range,
            ColourPrimaries = track.Primaries,
            ColourTransfer = track.Transfer,
            ChromaLocation = track.ChromaLocation,
            FieldOrder = track.FieldOrder,
            Rotation = track.Rotation,
            Extradata = new ReadOnlySpan<byte>((void*)track.Extradata, (int)track.ExtradataBytes).ToArray(),
        };
    }

    /// <summary>The stream's next track of that kind that this connection has not got yet, or a new one.</summary>
    private PacketTrack Find(TrackKind kind, TrackParameters parameters, string language)
    {
        foreach (PacketTrack track in publisher.Tracks)
        {
            if (track.Kind == kind && Array.IndexOf(_tracks, track) < 0)
            {
                publisher.SetParameters(track, parameters);
                return track;
            }
        }

        return publisher.AddTrack(kind, parameters, language);
    }

    private void Change(AvSourceHandle handle, uint number, PacketTrack track)
    {
        AvNative.Track found = new() { Size = (uint)sizeof(AvNative.Track) };
        if (AvNative.GetTrack(handle, number, &found) != AvNative.Ok)
        {
            return;
        }

        TrackParameters parameters = ParametersOf(in found);
        try
        {
            publisher.SetParameters(track, parameters);
        }
        catch (CuFramesException error) when (error.Code == ErrorCode.ConfigurationInvalid)
        {
            // A reader that went on with the old parameters would decode rubbish.
            _tracks[number] = null;
            _obstacles += $" Track {track.Number} ({parameters.CodecName}) has ended: {error.Message}";
        }

        // The text names sizes and codecs.
        _isAnnounced = false;
    }

    /// <summary>A packet for which the ring is too small; those after it follow an interruption.</summary>
    private ulong Refuse(in AvNative.PacketInfo packet, PacketTrack track, in PacketMetadata metadata)
    {
        _isInterrupted[packet.Track] = true;
        if (packet.Track == 0)
        {
            HasHadKey |= (packet.Flags & AvNative.PacketKey) != 0;
            _newestKey = 0;
        }

        try
        {
            return publisher.Publish(track, new ReadOnlySpan<byte>((void*)packet.Data, (int)packet.Bytes), metadata);
        }
        catch (CuFramesException error) when (error.Code == ErrorCode.PacketTooLarge)
        {
            _obstacles = " " + error.Message;
            publisher.SetState(StreamState.Live, Describe());
            return 0;
        }
    }

    private string Describe()
    {
        List<string> tracks = [];
        foreach (PacketTrack? track in _tracks)
        {
            if (track is { Parameters: var parameters })
            {
                tracks.Add(track.Kind switch
                {
                    TrackKind.Video => string.Create(CultureInfo.InvariantCulture, $"{parameters.CodecName} {parameters.Width}x{parameters.Height}"),
                    TrackKind.Audio => string.Create(CultureInfo.InvariantCulture, $"{parameters.CodecName} {parameters.SampleRate} Hz"),
                    _ => $"data ({parameters.CodecName})",
                });
            }
        }

        return $"Packets of {(tracks.Count == 0 ? "no track" : string.Join(", ", tracks))} come from {sourceText}.{_obstacles}";
    }
}
