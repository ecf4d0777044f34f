using System.Text;
using CuFrames.Client;
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

    /// <summary>A decoder that comes up from the past lets a camera's packets wait for that long.</summary>
    private const long CatchUpSlice = 100_000_000;

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
    private readonly bool _beginsAsleep;

    /// <summary>The packet that was read last.</summary>
    private AvNative.PacketInfo _packet;

    /// <summary>Its number: what frames decoded from it name.</summary>
    private ulong _packetNumber;

    /// <summary>There is one of the video that has not gone to the decoder yet: the one that was read last, or <see cref="_coded"/>.</summary>
    private bool _hasPacket;

    /// <summary>That one is <see cref="_coded"/>.</summary>
    private bool _isFromRing;

    /// <summary>A packet of the ring, where it lies.</summary>
    private AvNative.Coded _coded;

    /// <summary>
    /// The picture of the packet that is sent, or was sent last, is wanted before another packet: where the decoder holds it back to put pictures into
    /// order, it is told of an end behind it, and then has to forget both.
    /// </summary>
    private bool _isAlone;

    /// <summary>That end was told.</summary>
    private bool _isDrained;

    /// <summary>Next packet of the ring that is to be decoded before those that are read; 0: none.</summary>
    private ulong _cursor;

    /// <summary>The decoder was opened in mid-stream and has given no picture yet.</summary>
    private bool _isWaking;

    /// <summary>Pictures of packets up to this one are of the past and not given; 0: all are given.</summary>
    private ulong _past;

    /// <summary>Pictures were not given since the last that was.</summary>
    private bool _hasLeftOut;

    /// <summary>A decoder without its key frame would give rubbish: packets are let go until the next one.</summary>
    private bool _needsKey;

    /// <summary>Nothing more can be read.</summary>
    private bool _isAtEnd;
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
    /// <param name="beginsAsleep">Whether the decoder is opened by <see cref="TryWake"/> rather than at once.</param>
    internal MediaSource(MediaSourceOptions options, PacketFeed? feed, bool beginsAsleep = false)
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
        _beginsAsleep = beginsAsleep;
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
        if (!_beginsAsleep)
        {
            OpenDecoder();
            IsAwake = true;
        }
    }

    /// <summary>Is told of each packet that was read; null: nobody.</summary>
    internal Action? OnPacket { get; init; }

    /// <summary>Whether there is a decoder.</summary>
    internal bool IsAwake { get; private set; }

    /// <summary>
    /// Opens a decoder in mid-stream. The next frame is the newest key frame of the ring, and those after it are of packets that come later.
    /// </summary>
    /// <returns>False when the ring holds no key frame: the next one has to be waited for.</returns>
    /// <exception cref="MediaException">There can be no decoder now; packets can be read all the same.</exception>
    internal bool TryWake()
    {
        ulong key = _feed!.NewestKey;
        if (key == 0)
        {
            return false;
        }

        OpenOrClose();
        (IsAwake, _isWaking, _cursor) = (true, true, key);
        return true;
    }

    /// <summary>Opens a decoder before the first packet is read, for those who read already: no picture is left out.</summary>
    /// <exception cref="MediaException">There can be no decoder now; packets can be read all the same.</exception>
    internal void BeginAwake()
    {
        OpenOrClose();
        IsAwake = true;
    }

    /// <summary>Closes the decoder and gives back what it has: surfaces, its place among the decoders. Packets can be read all the same.</summary>
    internal void Sleep()
    {
        FinishCopies();
        CloseDecoder();
        if (Stream is { } stream)
        {
            _upload?.Dispose();
            _upload = new PictureUpload(stream);
        }

        _scratch?.Dispose();
        _scratch = null;
        (IsAwake, _hasFrame, _hasPacket, _isFromRing, _isAlone, _isDrained, _endSent) = (false, false, false, false, false, false, false);
        (_cursor, _past, _isWaking, _hasLeftOut, _needsKey) = (0, 0, false, false, false);
    }

    /// <summary>Reads a packet of whatever track and publishes it, without decoding.</summary>
    /// <param name="video">Decoding time of a packet of the video in nanoseconds; of others, and where it is not known, <see cref="FrameMetadata.UnknownPts"/>.</param>
    /// <returns>False at the end of the source.</returns>
    /// <exception cref="MediaException">The source was lost, or <see cref="Abort"/> was called.</exception>
    internal bool TryPassPacket(out long video)
    {
        video = FrameMetadata.UnknownPts;
        if (!TryReadPacket())
        {
            return false;
        }

        if (_packet.Track == 0 && _packet.Dts != FrameMetadata.UnknownPts && _feed!.Video is { Parameters: var parameters })
        {
            video = (long)((Int128)_packet.Dts * 1_000_000_000 * parameters.TimeBaseNumerator / parameters.TimeBaseDenominator);
        }

        return true;
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
                case AvNative.Ok when !IsWanted():
                    _hasLeftOut = true;
                    continue;
                case AvNative.Ok:
                    _hasFrame = true;
                    if (!_isDrained && (!_options.KeyframesOnly || _info!.Decoder == Nvdec))
                    {
                        // It came by itself. Key frames in software are parted all the same: those that are no IDR pictures would seem to
                        // miss what was left out between. For NVDEC to forget means to be made anew, which costs more than that.
                        _isAlone = false;
                    }

                    Describe(in _current, out frame);
                    (_isWaking, _hasLeftOut) = (false, false);
                    return true;
                case AvNative.End when _isAlone:
                    EndAlone();
                    continue;
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

            if (_isAlone && !_hasPacket && !_isDrained)
            {
                _isDrained = true;
                result = AvNative.SendEnd(_handle);
                if (result == AvNative.NvdecUnsupported && _options.Decode == DecodeMode.Auto)
                {
                    FallBack();
                    _hasPacket = true;
                }
                else if (result != AvNative.InvalidData)
                {
                    Require(result);
                    continue;
                }
                else
                {
                    _rejectedPackets++;
                    continue;
                }
            }

            if (!_hasPacket && !_endSent)
            {
                if (!TryNext())
                {
                    _endSent = true;
                    Require(AvNative.SendEnd(_handle));
                    continue;
                }

                if (_isFromRing)
                {
                    // The past says nothing of what the source sends now.
                    packetsWithoutPicture = 0;
                }
                else if (++packetsWithoutPicture == 1)
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

            result = Send();
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

    private void OpenOrClose()
    {
        try
        {
            OpenDecoder();
        }
        catch
        {
            CloseDecoder();
            throw;
        }
    }

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
        (_endSent, _isDrained) = (false, false);
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

    /// <summary>Chooses the next packet for the decoder: of the ring, where that is behind, else what is read. What is read is published.</summary>
    /// <returns>False at the end of the source.</returns>
    private bool TryNext()
    {
        while (_cursor != 0)
        {
            if (TryNextOfRing())
            {
                return true;
            }
        }

        _isFromRing = false;
        while (!_isAtEnd && TryReadPacket())
        {
            bool isKey = (_packet.Flags & AvNative.PacketKey) != 0;
            if (_packet.Track == 0 && (isKey || !(_options.KeyframesOnly || _needsKey)))
            {
                _isAlone = _options.KeyframesOnly;
                _needsKey = false;
                return true;
            }
        }

        _isAtEnd = true;
        return false;
    }

    /// <summary>Goes one packet on in the ring, and comes to the present at its end.</summary>
    /// <returns>Whether it is one for the decoder.</returns>
    private bool TryNextOfRing()
    {
        // A camera goes on sending meanwhile. What it sends waits for us in the system's buffers, and readers of packets wait with it.
        if (Info.IsLive && !_isWaking && !_isAtEnd && MonotonicClock.NowNanoseconds - _packet.Arrival > CatchUpSlice)
        {
            _isAtEnd = !TryReadPacket();
        }

        PacketPublisher ring = _feed!.Publisher;
        if (_cursor > ring.Head)
        {
            (_cursor, _past) = (0, ring.Head);
            return false;
        }

        if (!ring.TryRead(_cursor, out PacketDescriptor descriptor, out ReadOnlySpan<byte> data))
        {
            // A small ring went round while we were at it: what the decoder has needs packets that are gone.
            Require(AvNative.Flush(_handle));
            _cursor = _feed.NewestKey;
            (_needsKey, _past) = (_cursor == 0, ring.Head);
            return false;
        }

        bool isKey = (descriptor.Flags & PacketFlags.Key) != 0;
        _cursor++;
        if (descriptor.Track != (uint)_feed.Video!.Number || (_options.KeyframesOnly && !isKey))
        {
            return false;
        }

        fixed (byte* bytes = data)
        {
            // Mapped memory: it does not move.
            _coded = new AvNative.Coded
            {
                Size = (uint)sizeof(AvNative.Coded),
                Bytes = descriptor.Size,
                Flags = (isKey ? AvNative.PacketKey : 0) | ((descriptor.Flags & PacketFlags.Corrupt) != 0 ? AvNative.PacketCorrupt : 0),
                Pts = descriptor.Pts,
                Dts = descriptor.Dts,
                Duration = descriptor.Duration,
                Arrival = descriptor.ArrivalTime,
                Number = descriptor.Sequence,
                Data = (nint)bytes,
            };
        }

        // Nothing that could be wanted follows the newest key frame.
        _cursor = _options.KeyframesOnly ? 0 : _cursor;
        _isFromRing = true;
        _isAlone = _isWaking || _options.KeyframesOnly;
        return true;
    }

    /// <summary>A packet behind which an end was told has given its picture, if it gave one.</summary>
    private void EndAlone()
    {
        Require(AvNative.Flush(_handle));
        (_isAlone, _isDrained) = (false, false);
        if (_isFromRing && !_options.KeyframesOnly)
        {
            // The picture was given at once. Now the decoder comes to the present by the same key frame and what followed it.
            _cursor = _coded.Number;
            _isWaking = false;
        }
    }

    private int Send()
    {
        if (!_isFromRing)
        {
            return AvNative.SendPacket(_handle, _packetNumber);
        }

        fixed (AvNative.Coded* coded = &_coded)
        {
            return AvNative.SendCoded(_handle, coded);
        }
    }

    /// <summary>Whether the received picture is one for the caller, not one on the way from a key frame to the present.</summary>
    private bool IsWanted()
    {
        if (_isWaking)
        {
            return true;
        }

        if (_cursor != 0 || (_past != 0 && _current.PacketNumber != 0 && _current.PacketNumber <= _past))
        {
            return false;
        }

        // Behind the first picture of the present come those that the decoder put behind it.
        _past = 0;
        return true;
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
        OnPacket?.Invoke();
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

    private void CloseDecoder()
    {
        AvNative.CloseDecoder(_handle);
        Leave();
        _info = _info! with { Decoder = "", DecoderReason = "" };
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
        flags |= _isWaking || _hasLeftOut ? FrameFlags.Discontinuity : 0;
        frame = new MediaFrame
        {
            Width = (int)info.Width,
            Height = (int)info.Height,
            Format = AvFormats.ToPixelFormat(info.Format),
            IsConverted = (info.Flags & AvNative.FrameConverted) != 0,
            IsInDeviceMemory = (info.Flags & AvNative.FrameCuda) != 0,
            SourceFormat = _formatName,
            IsWaking = _isWaking,
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
