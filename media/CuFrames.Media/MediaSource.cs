using System.Text;
using CuFrames.Interop;
using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>A camera, a file or any other URL that libav opens, decoded by NVDEC or in software. Does not pace, loop or reconnect.</summary>
/// <remarks>
/// <para>One thread at a time; only <see cref="Abort"/> may be called from any thread. Reading a frame allocates nothing.</para>
/// <para>A frame of NVDEC stays in the decoder's surface until the next read, which therefore waits for copies of it that are under way.</para>
/// </remarks>
public sealed unsafe class MediaSource : IPictureSource
{
    /// <summary><see cref="MediaInfo.Decoder"/> of a source that NVDEC decodes.</summary>
    internal const string Nvdec = "nvdec";

    /// <summary><see cref="MediaInfo.Decoder"/> of a source that the CPU decodes.</summary>
    internal const string Software = "software";

    /// <summary>Pictures that a decoder may hold back to put them into order: the largest decoded picture buffer of H.264 and H.265.</summary>
    private const int MaxReorder = 16;

    private readonly MediaSourceOptions _options;
    private readonly AvSourceHandle _handle;
    private AvNative.Text32 _formatField;
    private string _formatName = string.Empty;
    private MediaInfo? _info;
    private AvNative.FrameInfo _current;
    private bool _hasFrame;
    private PictureUpload? _upload;
    private ScratchPicture? _scratch;

    /// <summary>Whether the scratch holds the current frame, which lies in device memory.</summary>
    private bool _isInScratch;

    /// <summary>Copies from the decoder's surface may be under way.</summary>
    private bool _isCopying;

    /// <summary>This source counts as one of <see cref="MediaSourceOptions.Admission"/>.</summary>
    private bool _isAdmitted;

    /// <summary>Where packets are published; null: nowhere, and only those of the video are read.</summary>
    private readonly PacketFeed? _feed;

    /// <summary>The packet that was read last.</summary>
    private AvNative.PacketInfo _packet;

    /// <summary>Its number: what frames decoded from it name.</summary>
    private ulong _packetNumber;

    /// <summary>It is one of the video and has not gone to the decoder yet.</summary>
    private bool _hasPacket;
    private bool _endSent;
    private long _rejectedPackets;

    /// <summary>Makes a source; nothing is opened yet.</summary>
    /// <param name="options">What to read and how.</param>
    /// <exception cref="MediaException">The shim or a libav library is missing, or an option is out of range.</exception>
    public MediaSource(MediaSourceOptions options)
        : this(options, null)
    {
    }

    /// <summary>Makes a source whose packets, of all tracks, are published before they are decoded. Its frames name them.</summary>
    /// <param name="options">What to read and how.</param>
    /// <param name="feed">Publishes them; null: only the video is read, and frames name its packets by their number from 1.</param>
    internal MediaSource(MediaSourceOptions options, PacketFeed? feed)
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

        if (options.Decode == DecodeMode.Nvdec && options.Cuda is null)
        {
            throw new MediaException(MediaError.InvalidArgument, "NVDEC needs a CUDA context, and the options name none.");
        }

        MediaLibrary.Load();
        _options = options;
        _feed = feed;
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
    public CudaStream? Stream { get; private set; }

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
            Flags = (_options.LowDelay ? AvNative.LowDelay : 0) | (_feed is null ? 0 : AvNative.AllTracks),
        };
        RedactedUrl url = _options.Url;
        Require(AvNative.Open(_handle, url.IsFile ? "file:" + url.Reveal() : url.Reveal(), url.SecretLines, &options));

        AvNative.StreamInfo info = new() { Size = (uint)sizeof(AvNative.StreamInfo) };
        Require(AvNative.GetStreamInfo(_handle, &info));
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
        if (_options.Cuda is { } cuda)
        {
            try
            {
                Stream = CudaStream.Create(cuda);
                _upload = new PictureUpload(Stream);
            }
            catch (CudaException e) when (e.Result == CudaResult.OutOfMemory)
            {
                throw AvText.NotAdmitted(_options, e);
            }
        }

        _feed?.Begin(_handle);
        OpenDecoder();
    }

    /// <inheritdoc/>
    public bool TryReadFrame(out MediaFrame frame)
    {
        int packetsWithoutPicture = 0;
        long firstArrival = 0;
        FinishCopies();
        _hasFrame = false;
        _isInScratch = false;
        _upload?.Forget();
        while (true)
        {
            int result = Receive();
            switch (result)
            {
                case AvNative.Ok:
                    _hasFrame = true;
                    Describe(in _current, out frame);
                    return true;
                case AvNative.End:
                    frame = default;
                    return false;
                case AvNative.InvalidData:
                    _rejectedPackets++;
                    continue;
                case AvNative.Again:
                    break;
                case AvNative.NvdecUnsupported when _options.Decode == DecodeMode.Auto:
                    // A packet that send took before its turn: it is the one that was read last.
                    FallBack();
                    _hasPacket = true;
                    break;
                default:
                    throw AvText.SourceError(_handle, result, _options);
            }

            if (!_hasPacket && !_endSent)
            {
                if (!TryReadVideo())
                {
                    _endSent = true;
                    Require(AvNative.SendEnd(_handle));
                    continue;
                }

                if (++packetsWithoutPicture == 1)
                {
                    firstArrival = _packet.Arrival;
                }
                else if (packetsWithoutPicture > MaxReorder && _packet.Arrival - firstArrival > Nanoseconds(_options.StallTimeout))
                {
                    // A source that changes its codec in mid-stream goes on sending packets which the decoder refuses. libav's
                    // demuxers do not tell; opening the source again finds the new codec.
                    throw AvText.NotDecodable(_options);
                }

                _hasPacket = true;
            }

            result = AvNative.SendPacket(_handle, _packetNumber);
            if (result == AvNative.Again)
            {
                continue;
            }

            if (result == AvNative.NvdecUnsupported && _options.Decode == DecodeMode.Auto)
            {
                // What NVDEC refused was not decoded: the same packet goes to the other decoder, and no picture is lost.
                FallBack();
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
        if (IsInDeviceMemory)
        {
            for (int plane = 0; plane < RequirePlanes(planes.Length); plane++)
            {
                EnqueueSurface(plane, (ulong)planes[plane].Address, (long)planes[plane].Pitch, isDevice: false);
            }

            FinishCopies();
            return;
        }

        fixed (PicturePlane* first = planes)
        {
            Require(AvNative.FrameCopy(_handle, first, (uint)planes.Length));
        }
    }

    /// <inheritdoc/>
    public void ScaleFrame(PictureScaler scaler, ReadOnlySpan<PicturePlane> planes)
    {
        ArgumentNullException.ThrowIfNull(scaler);
        if (!IsInDeviceMemory)
        {
            Require(scaler.Scale(_handle, in _current, planes));
            return;
        }

        _scratch ??= new ScratchPicture();
        PixelFormat format = AvFormats.ToPixelFormat(_current.Format);
        ReadOnlySpan<PicturePlane> picture = _scratch.Shape(format, (int)_current.Width, (int)_current.Height);
        if (!_isInScratch)
        {
            CopyFrame(picture);
            _isInScratch = true;
        }

        FrameMetadata colours = new() { ColourMatrix = _current.Matrix, ColourRange = (ColourRange)_current.Range };
        scaler.Scale(format, (int)_current.Width, (int)_current.Height, picture, colours, planes);
    }

    /// <inheritdoc/>
    public void EnqueueCopy(ReadOnlySpan<CudaPlane> planes)
    {
        if (_upload is null)
        {
            throw new MediaException(MediaError.InvalidArgument, "A source without a CUDA context cannot copy into device memory.");
        }

        int count = RequirePlanes(planes.Length);
        if (IsInDeviceMemory)
        {
            for (int plane = 0; plane < count; plane++)
            {
                EnqueueSurface(plane, planes[plane].Address, planes[plane].Pitch, isDevice: true);
            }

            return;
        }

        ReadOnlySpan<PicturePlane> pinned = _upload.Begin(AvFormats.ToPixelFormat(_current.Format), (int)_current.Width, (int)_current.Height);
        CopyFrame(pinned);
        _upload.Enqueue(planes);
    }

    /// <inheritdoc/>
    public bool IsFrameOnDevice => IsInDeviceMemory || _upload is { HasDestination: true };

    /// <inheritdoc/>
    public void EnqueueScale(CudaPictureScaler scaler, ReadOnlySpan<CudaPlane> planes)
    {
        ArgumentNullException.ThrowIfNull(scaler);
        if (_upload is null)
        {
            throw new MediaException(MediaError.InvalidArgument, "A source without a CUDA context cannot scale in device memory.");
        }

        if (!IsInDeviceMemory)
        {
            FrameMetadata colours = new()
            {
                ColourMatrix = _current.Matrix,
                ColourRange = (ColourRange)_current.Range,
                ChromaLocation = _current.ChromaLocation,
            };
            scaler.Enqueue(Stream!, _upload.PictureOnDevice(colours), planes);
            return;
        }

        // The surface is the decoder's again after the next read, which waits for this too.
        _isCopying = true;
        CudaPicture surface = new()
        {
            Format = AvFormats.ToPixelFormat(_current.Format),
            Width = (int)_current.Width,
            Height = (int)_current.Height,
            Plane0 = SurfacePlane(0),
            Plane1 = SurfacePlane(1),
            ColourMatrix = _current.Matrix,
            Range = (ColourRange)_current.Range,
            ChromaLocation = _current.ChromaLocation,
        };
        scaler.Enqueue(Stream!, surface, planes);

        CudaPlane SurfacePlane(int plane) => new((ulong)_current.Planes[plane], _current.Strides[plane]);
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
    public void Dispose()
    {
        if (_handle.IsClosed)
        {
            return;
        }

        StreamEnd.Await(Stream);

        // The decoder uses the stream, and an Abort on another thread may keep the handle for a moment longer.
        AvNative.CloseDecoder(_handle);
        _handle.Dispose();
        _upload?.Dispose();
        _scratch?.Dispose();
        Stream?.Dispose();
        Leave();
    }

    private static long Nanoseconds(TimeSpan time) => time == TimeSpan.MaxValue ? 0 : time.Ticks * 100;

    private bool IsInDeviceMemory => _hasFrame && (_current.Flags & AvNative.FrameCuda) != 0;

    private void OpenDecoder()
    {
        if (_options.Decode == DecodeMode.Software)
        {
            OpenSoftwareDecoder("Software was asked for.");
            return;
        }

        if (_options.Cuda is not { } cuda)
        {
            OpenSoftwareDecoder("The frames go to main memory.");
            return;
        }

        AvNative.Decoder decoder = new()
        {
            Size = (uint)sizeof(AvNative.Decoder),
            Mode = AvNative.DecodeNvdec,
            CudaContext = cuda.Handle,
            CudaStream = Stream!.Handle,
        };
        int result = AvNative.OpenDecoder(_handle, &decoder);
        if (result == AvNative.NvdecUnsupported && _options.Decode == DecodeMode.Auto)
        {
            FallBack();
            return;
        }

        Require(result);

        // Asked last, because a video that NVDEC cannot decode needs no session. The driver makes the session with the first packets.
        if (_options.Admission is { } admission)
        {
            _isAdmitted = admission.TryEnter(out int limit, out int inUse);
            if (!_isAdmitted)
            {
                throw AvText.NotAdmitted(_options, limit, inUse);
            }
        }

        _info = _info! with { Decoder = Nvdec, DecoderReason = $"{cuda.Device.Name} decodes {_info.Codec}." };
    }

    private void OpenSoftwareDecoder(string reason)
    {
        Leave();
        AvNative.Decoder decoder = new() { Size = (uint)sizeof(AvNative.Decoder), Mode = AvNative.DecodeSoftware };
        Require(AvNative.OpenDecoder(_handle, &decoder));

        // The new decoder has to be told of the end too; reading tells it once more.
        _endSent = false;
        _info = _info! with { Decoder = Software, DecoderReason = reason };
    }

    private void FallBack() => OpenSoftwareDecoder($"NVDEC cannot be used: {AvText.Cause(_handle, _options)}.");

    private void Leave()
    {
        if (_isAdmitted)
        {
            _isAdmitted = false;
            _options.Admission!.Leave();
        }
    }

    /// <summary>Reads on to the next packet of the video. What is read is published.</summary>
    /// <returns>False at the end of the source.</returns>
    private bool TryReadVideo()
    {
        while (TryReadPacket())
        {
            if (_packet.Track == 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Reads the next packet, of whatever track, and publishes it.</summary>
    /// <returns>False at the end of the source.</returns>
    private bool TryReadPacket()
    {
        _packet.Size = (uint)sizeof(AvNative.PacketInfo);
        int result;
        fixed (AvNative.PacketInfo* packet = &_packet)
        {
            result = AvNative.ReadPacket(_handle, packet);
        }

        if (result == AvNative.End)
        {
            return false;
        }

        Require(result);
        if (_packet.Track == 0)
        {
            Packets++;
            Bytes += _packet.Bytes;
        }

        _packetNumber = _feed is null ? (ulong)Packets : _feed.Publish(_handle, in _packet);
        return true;
    }

    private int Receive()
    {
        _current.Size = (uint)sizeof(AvNative.FrameInfo);
        fixed (AvNative.FrameInfo* info = &_current)
        {
            return AvNative.ReceiveFrame(_handle, info);
        }
    }

    private void FinishCopies()
    {
        if (_isCopying)
        {
            Stream!.Synchronize();
            _isCopying = false;
        }
    }

    private int RequirePlanes(int count)
    {
        int expected = _hasFrame ? PixelFormats.PlaneCount(AvFormats.ToPixelFormat(_current.Format)) : 0;
        return count == expected && count > 0
            ? count
            : throw new MediaException(
                MediaError.InvalidArgument, $"A copy needs a current frame and as many planes as its format has ({expected}), found {count}.");
    }

    /// <summary>Enqueues the copying of one plane of NVDEC's surface.</summary>
    private void EnqueueSurface(int plane, ulong address, long pitch, bool isDevice)
    {
        PixelFormat format = AvFormats.ToPixelFormat(_current.Format);
        int rowBytes = PixelFormats.RowBytes(format, plane, (int)_current.Width);
        if (pitch < rowBytes)
        {
            throw new MediaException(MediaError.InvalidArgument, $"Plane {plane} needs a pitch of at least {rowBytes} bytes, found {pitch}.");
        }

        _isCopying = true;
        Stream!.Copy(new CudaCopy
        {
            Source = (ulong)_current.Planes[plane],
            SourcePitch = _current.Strides[plane],
            SourceIsDevice = true,
            Destination = address,
            DestinationPitch = pitch,
            DestinationIsDevice = isDevice,
            RowBytes = rowBytes,
            Rows = PixelFormats.Rows(format, plane, (int)_current.Height),
        });
    }

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
            IsInDeviceMemory = (info.Flags & AvNative.FrameCuda) != 0,
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
