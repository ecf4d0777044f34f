using System.Text;
using CuFrames.Client;
using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>
/// Writes packets of a stream into a container, byte for byte as the source sent them, by libavformat. One thread at a time.
/// </summary>
/// <remarks>
/// <para>The output begins at time 0 with the earliest of its first packets; the same offset is taken off the times of all tracks. Where the
/// source's times jump (another connection, another clock), the output's times go on by the time between the packets' arrivals.</para>
/// <para>The first packets are held back until each track has sent one, at most for one second of their times.</para>
/// <para>What a container needs is done to the packets and undone by its readers: H.264 and H.265 have start codes and parameter sets in MPEG-TS
/// and length prefixes in MP4 and Matroska, AAC has ADTS headers in MPEG-TS.</para>
/// <para>MPEG-TS goes on when a track's parameters change. MP4 and Matroska cannot; begin another output.</para>
/// </remarks>
public sealed unsafe class PacketMuxer : IDisposable
{
    private const int ErrorCapacity = 1536;

    private static readonly PacketContainer[] AllContainers = [PacketContainer.Mp4, PacketContainer.Matroska, PacketContainer.MpegTs];

    private readonly Stream _output;
    private readonly long _start;
    private readonly PacketTrack[] _tracks;
    private readonly TrackParameters[] _parameters;
    private readonly int[] _indexOf = new int[PacketBlockLayout.TrackCapacity];
    private readonly PacketTimeline _timeline;
    private AvMuxerHandle _handle;

    // Bytes and packets of the muxers before, which changed parameters ended.
    private long _bytesBefore;
    private long _writtenBefore;
    private long _refusedBefore;
    private long _refusedHere;
    private long _given;
    private long _length;
    private bool _isFinished;
    private bool _isDisposed;

    /// <summary>Makes a muxer. Nothing is written yet.</summary>
    /// <param name="output">Where the bytes go, from its present position on. The caller owns it. Places that were written are written again only if
    /// it can seek; without that a Matroska file has no index and no duration.</param>
    /// <param name="container">The container.</param>
    /// <param name="tracks">The tracks, 1 to 8, with their present parameters. Packets of others are an error.</param>
    /// <exception cref="MediaException">NotCarried: the container cannot carry a track, the text says which and which containers can; or a
    /// parameter is out of range, or the shim is missing.</exception>
    public PacketMuxer(Stream output, PacketContainer container, IReadOnlyList<PacketTrack> tracks)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(tracks);
        if (!Enum.IsDefined(container) || tracks.Count is < 1 or > PacketBlockLayout.TrackCapacity)
        {
            throw new MediaException(
                MediaError.InvalidArgument, $"A muxer needs a container and 1 to {PacketBlockLayout.TrackCapacity} tracks, found {container} and {tracks.Count} tracks.");
        }

        MediaLibrary.Load();
        _output = output;
        _start = output.CanSeek ? output.Position : 0;
        Container = container;
        _tracks = [.. tracks];
        _parameters = Array.ConvertAll(_tracks, track => track.Parameters);
        _timeline = new PacketTimeline(_parameters);
        Array.Fill(_indexOf, -1);
        for (int i = 0; i < _tracks.Length; i++)
        {
            _indexOf[_tracks[i].Number] = i;
        }

        _handle = Open(isContinued: false);
    }

    /// <summary>The container.</summary>
    public PacketContainer Container { get; }

    /// <summary>Length of the output in bytes so far, from the position at which it began.</summary>
    public long BytesWritten => _bytesBefore + _length;

    /// <summary>Packets that are in the container, or that libavformat collects for its next piece.</summary>
    public long PacketsWritten => _writtenBefore + (long)Counts().Written;

    /// <summary>Packets that are not in it because they are damaged.</summary>
    public long PacketsRefused => _refusedBefore + _refusedHere + (long)Counts().Refused;

    /// <summary>Packets that are held back until the output begins.</summary>
    public long PacketsHeld => (long)Counts().Held;

    /// <summary>Packets whose times were changed otherwise than by the common offset: they were not known, or did not grow.</summary>
    public long TimesRepaired => _timeline.Repaired;

    /// <summary>How often the source's times jumped.</summary>
    public int TimeJumps => _timeline.Jumps;

    /// <summary>Whether a container can carry a codec so that readers know it.</summary>
    /// <param name="container">The container.</param>
    /// <param name="parameters">Parameters of a track.</param>
    /// <exception cref="MediaException">The shim is missing.</exception>
    public static bool CanCarry(PacketContainer container, TrackParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        MediaLibrary.Load();
        return AvMuxNative.CanCarry((uint)container, CodecName(parameters)) != 0;
    }

    /// <summary>Writes a packet. Its bytes are copied first, and the copy is checked to be whole.</summary>
    /// <param name="packet">A packet of one of the tracks.</param>
    /// <exception cref="PacketLostException">The packet was overwritten before it was copied. The muxer can go on.</exception>
    /// <exception cref="MediaException">InvalidData: this packet or one held back is damaged and left out; the muxer can go on.
    /// ParametersChanged: the container cannot go on with the packet's parameters; finish it, and begin another with this packet.
    /// Any other error is for good.</exception>
    /// <exception cref="IOException">The output failed. For good: dispose of the muxer.</exception>
    public void Write(in Packet packet)
    {
        Require();
        int index = packet.Track is { } track ? _indexOf[track.Number] : -1;
        if (index < 0)
        {
            throw new MediaException(MediaError.InvalidArgument, $"Packet {packet.Sequence} is of a track that this {NameOf(Container)} output was not made with.");
        }

        if (!ReferenceEquals(packet.Parameters, _parameters[index]))
        {
            Adopt(index, packet.Parameters, packet.Sequence);
        }

        if (packet.Size == 0)
        {
            _refusedHere++;
            throw new MediaException(MediaError.InvalidData, $"Packet {packet.Sequence} of track {packet.Track.Number} has no bytes, and is left out.");
        }

        byte* buffer = AvMuxNative.PacketBuffer(_handle, (nuint)packet.Size);
        if (buffer is null)
        {
            throw new MediaException(MediaError.OutOfMemory, $"Memory ran out for a packet of {packet.Size} bytes.");
        }

        packet.CopyTo(new Span<byte>(buffer, packet.Size));
        SourceTimes times = new(packet.Pts, packet.Dts, packet.Duration, packet.ArrivalTime, (packet.Flags & PacketFlags.Discontinuity) != 0);
        if (_timeline.Place(index, packet.Parameters, times) is not { } placed)
        {
            _refusedHere++;
            throw new MediaException(MediaError.InvalidData, $"Packet {packet.Sequence} of track {packet.Track.Number} has times that mean nothing (dts {packet.Dts}, pts {packet.Pts}), and is left out.");
        }

        AvMuxNative.PacketInfo info = new()
        {
            Size = (uint)sizeof(AvMuxNative.PacketInfo),
            Track = (uint)index,
            Pts = placed.Pts,
            Dts = placed.Dts,
            Duration = placed.Duration,
            Flags = (packet.IsKey ? AvMuxNative.Key : 0) | ((packet.Flags & PacketFlags.Corrupt) != 0 ? AvMuxNative.Corrupt : 0) |
                ((packet.Flags & PacketFlags.Disposable) != 0 ? AvMuxNative.Disposable : 0),
        };
        _given++;
        int result = AvMuxNative.Write(_handle, &info);
        MediaException? error = result < 0 ? Error($"Packet {packet.Sequence} of track {packet.Track.Number} cannot be written to {NameOf(Container)}", result) : null;
        Drain();
        if (error is not null)
        {
            throw error;
        }
    }

    /// <summary>Writes out what the container would collect for longer, up to a second: a reader of a live output then has all packets. Costs some
    /// bytes in the container each time.</summary>
    /// <exception cref="MediaException">libavformat failed.</exception>
    /// <exception cref="IOException">The output failed.</exception>
    public void Flush()
    {
        Require();
        int result = AvMuxNative.Flush(_handle);
        MediaException? error = result < 0 ? Error($"{NameOf(Container)} cannot be written", result) : null;
        Drain();
        if (error is not null)
        {
            throw error;
        }
    }

    /// <summary>Ends the output: what is held back and the trailer are written. Once.</summary>
    /// <exception cref="MediaException">A packet that was held back is damaged, or libavformat failed.</exception>
    /// <exception cref="IOException">The output failed.</exception>
    public void Finish()
    {
        Require();
        _isFinished = true;
        FinishNative();
    }

    /// <summary>Frees what libavformat holds. Without <see cref="Finish"/> the output ends as it is.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _isFinished = true;
            _handle.Dispose();
        }
    }

    internal static string NameOf(PacketContainer container) => container switch
    {
        PacketContainer.Mp4 => "MP4",
        PacketContainer.Matroska => "Matroska",
        _ => "MPEG-TS",
    };

    private static string CodecName(TrackParameters parameters) => parameters.CodecName.Length > 0 ? parameters.CodecName : Codecs.NameOf(parameters.Codec);

    private static void Put(Span<byte> field, string text)
    {
        // Names of codecs and languages are ASCII and shorter than the field by the protocol.
        int length = Encoding.ASCII.GetBytes(text.AsSpan(0, Math.Min(text.Length, field.Length - 1)), field);
        field[length..].Clear();
    }

    private void Require()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_isFinished)
        {
            throw new InvalidOperationException("The output was finished; packets go to another muxer.");
        }
    }

    /// <summary>Goes on with other parameters of a track, where that is possible.</summary>
    private void Adopt(int index, TrackParameters parameters, ulong sequence)
    {
        // Another unit of time is no other coding: the timeline converts.
        TrackParameters old = _parameters[index];
        bool isSame = old == parameters with { TimeBaseNumerator = old.TimeBaseNumerator, TimeBaseDenominator = old.TimeBaseDenominator };
        if (isSame)
        {
            return;
        }

        if (_given > 0 && Container != PacketContainer.MpegTs)
        {
            throw new MediaException(
                MediaError.ParametersChanged,
                $"With packet {sequence} the parameters of track {_tracks[index].Number} change, which {NameOf(Container)} cannot express. Begin another file with it.");
        }

        AvMuxerHandle before = _handle;
        TrackParameters[] all = [.. _parameters];
        try
        {
            if (_given > 0)
            {
                FinishNative();
            }
        }
        catch (MediaException error) when (error.Error == MediaError.InvalidData)
        {
            // A packet that was held back: it is counted, and is not the one that is written now.
        }

        _parameters[index] = parameters with { TimeBaseNumerator = old.TimeBaseNumerator, TimeBaseDenominator = old.TimeBaseDenominator };
        AvMuxerHandle next;
        try
        {
            // The times go on as they were: the same is taken off them.
            next = Open(isContinued: _given > 0);
        }
        catch
        {
            all.CopyTo(_parameters, 0);
            throw;
        }

        AvMuxNative.Counts counts = Counts();
        _writtenBefore += (long)counts.Written;
        _refusedBefore += (long)counts.Refused;
        _bytesBefore += _length;
        _length = 0;
        before.Dispose();
        _handle = next;
    }

    private void FinishNative()
    {
        int result = AvMuxNative.Finish(_handle);
        MediaException? error = result < 0 ? Error($"{NameOf(Container)} cannot be finished", result) : null;
        Drain();
        if (error is not null)
        {
            throw error;
        }
    }

    /// <summary>Writes what libavformat has written.</summary>
    private void Drain()
    {
        long position;
        byte* data;
        nuint bytes;
        while (AvMuxNative.TakeOutput(_handle, &position, &data, &bytes) != 0)
        {
            if (_output.CanSeek)
            {
                long target = _start + _bytesBefore + position;
                if (_output.Position != target)
                {
                    _output.Position = target;
                }
            }

            _output.Write(new ReadOnlySpan<byte>(data, checked((int)bytes)));
            _length = Math.Max(_length, position + (long)bytes);
        }
    }

    private AvMuxNative.Counts Counts()
    {
        AvMuxNative.Counts counts = new() { Size = (uint)sizeof(AvMuxNative.Counts) };
        if (!_handle.IsClosed)
        {
            _ = AvMuxNative.GetCounts(_handle, &counts);
        }

        return counts;
    }

    private MediaException Error(string what, int result)
    {
        byte* text = stackalloc byte[ErrorCapacity];
        text[0] = 0;
        _ = AvMuxNative.ErrorText(_handle, text, ErrorCapacity);
        return AvText.PictureError(what, result, text, ErrorCapacity);
    }

    private AvMuxerHandle Open(bool isContinued)
    {
        foreach (PacketTrack track in _tracks)
        {
            RequireCarried(track, _parameters[_indexOf[track.Number]]);
        }

        AvMuxerHandle handle = AvMuxNative.Create();
        if (handle.IsInvalid)
        {
            throw new MediaException(MediaError.OutOfMemory, "Memory ran out while a muxer was made.");
        }

        AvMuxNative.Track[] tracks = new AvMuxNative.Track[_tracks.Length];
        System.Buffers.MemoryHandle[] pins = new System.Buffers.MemoryHandle[_tracks.Length];
        try
        {
            for (int i = 0; i < tracks.Length; i++)
            {
                pins[i] = _parameters[i].Extradata.Pin();
                tracks[i] = Describe(_tracks[i], _parameters[i], (byte*)pins[i].Pointer);
            }

            AvMuxNative.Options options = new()
            {
                Size = (uint)sizeof(AvMuxNative.Options),
                Container = (uint)Container,
                Shift = isContinued ? Counts().Shift : 0,
                Flags = (_output.CanSeek ? AvMuxNative.Seekable : 0) | (isContinued ? AvMuxNative.Discontinuity : 0),
            };
            uint failed;
            int result;
            fixed (AvMuxNative.Track* first = tracks)
            {
                result = AvMuxNative.Open(handle, &options, first, (uint)tracks.Length, &failed);
            }

            if (result < 0)
            {
                byte* text = stackalloc byte[ErrorCapacity];
                text[0] = 0;
                _ = AvMuxNative.ErrorText(handle, text, ErrorCapacity);
                throw AvText.PictureError($"Cannot make {NameOf(Container)} of these tracks", result, text, ErrorCapacity);
            }

            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
        finally
        {
            foreach (System.Buffers.MemoryHandle pin in pins)
            {
                pin.Dispose();
            }
        }
    }

    private void RequireCarried(PacketTrack track, TrackParameters parameters)
    {
        if (CanCarry(Container, parameters))
        {
            return;
        }

        string codec = CodecName(parameters);
        string[] able = [.. AllContainers.Where(container => CanCarry(container, parameters)).Select(NameOf)];
        throw new MediaException(
            MediaError.NotCarried,
            $"{NameOf(Container)} cannot carry track {track.Number}, which is {track.Kind.ToString().ToLowerInvariant()} coded as {(codec.Length == 0 ? "something without a name" : codec)}. " +
            (able.Length == 0 ? "No container that CuFrames writes can." : $"{string.Join(" and ", able)} can."));
    }

    private static AvMuxNative.Track Describe(PacketTrack track, TrackParameters parameters, byte* extradata)
    {
        AvMuxNative.Track described = new()
        {
            Size = (uint)sizeof(AvMuxNative.Track),
            Kind = (uint)track.Kind,
            TimeBaseNumerator = parameters.TimeBaseNumerator,
            TimeBaseDenominator = parameters.TimeBaseDenominator,
            Width = parameters.Width,
            Height = parameters.Height,
            FrameRateNumerator = parameters.FrameRateNumerator,
            FrameRateDenominator = parameters.FrameRateDenominator,
            SampleAspectNumerator = parameters.SampleAspectNumerator,
            SampleAspectDenominator = parameters.SampleAspectDenominator,
            SampleRate = parameters.SampleRate,
            Channels = parameters.Channels,
            ChannelLayout = parameters.ChannelLayout,
            SamplesPerPacket = parameters.SamplesPerPacket,
            BitsPerSample = parameters.BitsPerSample,
            BlockAlign = parameters.BlockAlign,
            InitialPadding = parameters.InitialPadding,
            SeekPreroll = parameters.SeekPreroll,
            ReorderDelay = parameters.ReorderDelay,
            Matrix = parameters.ColourMatrix,
            Range = (byte)parameters.ColourRange,
            Primaries = parameters.ColourPrimaries,
            Transfer = parameters.ColourTransfer,
            ChromaLocation = parameters.ChromaLocation,
            FieldOrder = parameters.FieldOrder,
            Rotation = parameters.Rotation <= 3 ? parameters.Rotation : (byte)0,
            ExtradataSize = (uint)parameters.Extradata.Length,
            Extradata = extradata,
        };
        Put(described.Codec, CodecName(parameters));
        Put(described.Language, track.Language);
        return described;
    }
}
