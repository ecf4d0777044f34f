using System.Text;
using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>A camera, a file or any other URL that libav opens, decoded in software. Does not pace, loop or reconnect.</summary>
/// <remarks>One thread at a time; only <see cref="Abort"/> may be called from any thread. Reading a frame allocates nothing.</remarks>
public sealed unsafe class MediaSource : IPictureSource
{
    /// <summary>Pictures that a decoder may hold back to put them into order: the largest decoded picture buffer of H.264 and H.265.</summary>
    private const int MaxReorder = 16;

    private readonly MediaSourceOptions _options;
    private readonly AvSourceHandle _handle;
    private AvNative.Text32 _formatField;
    private string _formatName = string.Empty;
    private MediaInfo? _info;
    private bool _hasPacket;
    private bool _endSent;
    private long _rejectedPackets;

    /// <summary>Makes a source; nothing is opened yet.</summary>
    /// <param name="options">What to read and how.</param>
    /// <exception cref="MediaException">The shim or a libav library is missing, or an option is out of range.</exception>
    public MediaSource(MediaSourceOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.DecodeThreads is < 0 or > 64)
        {
            throw new MediaException(MediaError.InvalidArgument, $"Decode threads must be 0 to 64, found {options.DecodeThreads}.");
        }

        if (options.OpenTimeout <= TimeSpan.Zero || options.StallTimeout <= TimeSpan.Zero)
        {
            throw new MediaException(MediaError.InvalidArgument, "Open and stall time-outs must be longer than zero.");
        }

        MediaLibrary.Load();
        _options = options;
        _handle = AvNative.Create();
        if (_handle.IsInvalid)
        {
            throw new MediaException(MediaError.OutOfMemory, "Memory ran out while a media source was made.");
        }
    }

    /// <inheritdoc/>
    public MediaInfo Info => _info ?? throw new InvalidOperationException("The source is not open.");

    /// <inheritdoc/>
    public long Packets { get; private set; }

    /// <inheritdoc/>
    public long Bytes { get; private set; }

    /// <inheritdoc/>
    public long DecodeErrors => Math.Max(_rejectedPackets, (long)AvNative.DecoderMessages(_handle));

    /// <inheritdoc/>
    public void Open()
    {
        AvNative.Options options = new()
        {
            Size = (uint)sizeof(AvNative.Options),
            Transport = (uint)_options.Transport,
            OpenTimeout = Nanoseconds(_options.OpenTimeout),
            StallTimeout = Nanoseconds(_options.StallTimeout),
            DecodeThreads = _options.DecodeThreads,
            Flags = _options.LowDelay ? AvNative.LowDelay : 0,
        };
        RedactedUrl url = _options.Url;
        Require(AvNative.Open(_handle, url.IsFile ? "file:" + url.Reveal() : url.Reveal(), url.SecretLines, &options));

        AvNative.StreamInfo info = new() { Size = (uint)sizeof(AvNative.StreamInfo) };
        Require(AvNative.GetStreamInfo(_handle, &info));
        AvNative.Decoder decoder = new() { Size = (uint)sizeof(AvNative.Decoder), Mode = AvNative.DecodeSoftware };
        Require(AvNative.OpenDecoder(_handle, &decoder));
        _info = new MediaInfo(
            AvNative.TextOf(info.Container),
            AvNative.TextOf(info.Codec),
            AvNative.TextOf(info.Profile),
            AvNative.TextOf(info.PixelFormat),
            (int)info.Width,
            (int)info.Height,
            Math.Max(0, info.FrameRateNumerator),
            Math.Max(1, info.FrameRateDenominator),
            info.Duration > 0 ? TimeSpan.FromTicks(info.Duration / 100) : null,
            info.IsLive != 0);
    }

    /// <inheritdoc/>
    public bool TryReadFrame(out MediaFrame frame)
    {
        AvNative.FrameInfo info = new() { Size = (uint)sizeof(AvNative.FrameInfo) };
        AvNative.PacketInfo packet = new() { Size = (uint)sizeof(AvNative.PacketInfo) };
        int packetsWithoutPicture = 0;
        long firstArrival = 0;
        while (true)
        {
            int result = AvNative.ReceiveFrame(_handle, &info);
            switch (result)
            {
                case AvNative.Ok:
                    Describe(in info, out frame);
                    return true;
                case AvNative.End:
                    frame = default;
                    return false;
                case AvNative.InvalidData:
                    _rejectedPackets++;
                    continue;
                case AvNative.Again:
                    break;
                default:
                    throw AvText.SourceError(_handle, result, _options);
            }

            if (!_hasPacket && !_endSent)
            {
                result = AvNative.ReadPacket(_handle, &packet);
                if (result == AvNative.End)
                {
                    _endSent = true;
                    Require(AvNative.SendEnd(_handle));
                    continue;
                }

                Require(result);
                if (++packetsWithoutPicture == 1)
                {
                    firstArrival = packet.Arrival;
                }
                else if (packetsWithoutPicture > MaxReorder && packet.Arrival - firstArrival > Nanoseconds(_options.StallTimeout))
                {
                    // A source that changes its codec in mid-stream goes on sending packets which the decoder refuses. libav's
                    // demuxers do not tell; opening the source again finds the new codec.
                    throw AvText.NotDecodable(_options);
                }

                _hasPacket = true;
                Packets++;
                Bytes += packet.Bytes;
            }

            result = AvNative.SendPacket(_handle);
            if (result == AvNative.Again)
            {
                continue;
            }

            _hasPacket = false;
            if (result == AvNative.InvalidData)
            {
                _rejectedPackets++;
            }
            else
            {
                Require(result);
            }
        }
    }

    /// <inheritdoc/>
    public void CopyFrame(ReadOnlySpan<PicturePlane> planes)
    {
        fixed (PicturePlane* first = planes)
        {
            Require(AvNative.FrameCopy(_handle, first, (uint)planes.Length));
        }
    }

    /// <summary>Warnings and errors that libav logged for this source since the last call, one per line, without secrets.</summary>
    public string TakeLog()
    {
        const int Capacity = 8192;
        byte* buffer = stackalloc byte[Capacity];
        return _options.Url.Redact(Encoding.UTF8.GetString(buffer, (int)AvNative.TakeLog(_handle, buffer, Capacity)));
    }

    /// <inheritdoc/>
    public void Abort()
    {
        // A source that another thread has just disposed of has nothing left to stop.
        try
        {
            AvNative.Abort(_handle);
        }
        catch (ObjectDisposedException)
        {
            return;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private static long Nanoseconds(TimeSpan time) => time == TimeSpan.MaxValue ? 0 : time.Ticks * 100;

    private void Require(int result)
    {
        if (result < 0)
        {
            throw AvText.SourceError(_handle, result, _options);
        }
    }

    private void Describe(in AvNative.FrameInfo info, out MediaFrame frame)
    {
        if (!((ReadOnlySpan<byte>)_formatField).SequenceEqual(info.SourceFormat))
        {
            _formatField = info.SourceFormat;
            _formatName = AvNative.TextOf(_formatField);
        }

        FrameFlags flags = FrameFlags.None;
        flags |= (info.Flags & AvNative.FrameKey) != 0 ? FrameFlags.Key : 0;
        flags |= (info.Flags & AvNative.FrameCorrupt) != 0 ? FrameFlags.Corrupt : 0;
        flags |= (info.Flags & AvNative.FrameInterlaced) != 0 ? FrameFlags.Interlaced : 0;
        flags |= (info.Flags & AvNative.FrameTopFieldFirst) != 0 ? FrameFlags.TopFieldFirst : 0;
        frame = new MediaFrame
        {
            Width = (int)info.Width,
            Height = (int)info.Height,
            Format = AvFormats.ToPixelFormat(info.Format),
            IsConverted = (info.Flags & AvNative.FrameConverted) != 0,
            SourceFormat = _formatName,
            Metadata = new FrameMetadata
            {
                Pts = info.Pts,
                Duration = info.Duration,
                ArrivalTime = info.Arrival,
                CaptureTime = info.CaptureWall,
                SourcePacket = info.PacketNumber,
                Flags = flags,
                PictureType = info.PictureType switch
                {
                    (byte)'I' => PictureType.Intra,
                    (byte)'P' => PictureType.Predicted,
                    (byte)'B' => PictureType.Bidirectional,
                    _ => PictureType.Unknown,
                },
                ColourMatrix = info.Matrix,
                ColourPrimaries = info.Primaries,
                ColourTransfer = info.Transfer,
                ColourRange = (ColourRange)info.Range,
                ChromaLocation = info.ChromaLocation,
                Rotation = (byte)(info.Rotation / 90),
            },
        };
    }
}
