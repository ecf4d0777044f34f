using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>
/// A second stream of a camera: its frames in another size, format or rate. Made on the camera's own thread from the picture that was decoded for
/// the camera's stream, and only while somebody reads it.
/// </summary>
/// <remarks>
/// <para>Owns its publisher. <see cref="CameraPump.Add"/> gives both to a pump, which disposes of them.</para>
/// <para>While nobody reads, a frame costs a look at one word. The first frame after somebody came is the camera's next one. Metadata are those of
/// the camera's frame, but for the colours of a conversion between YUV and RGB. A discontinuity is told by the next frame that is made. The ring is given
/// back meanwhile, and who comes does not see its last frame (<see cref="FramePublisher.TryRest"/>).</para>
/// <para>What goes wrong here (no memory, a format that cannot be converted) becomes this stream's state and is tried again every second; the camera
/// and its other renditions go on.</para>
/// </remarks>
public sealed class Rendition : IDisposable
{
    /// <summary>Begins the text beside the state of a rendition that nobody reads.</summary>
    public const string IdleText = "idle: computed when somebody reads it";

    private const long RetryInterval = 1_000_000_000;

    private readonly RenditionOptions _options;
    private readonly Action<string>? _onTrouble;
    private readonly FrameRateLimit _rate;
    private readonly DevicePicture _result;
    private readonly PicturePlane[] _planes = new PicturePlane[Wire.MaxPlanes];
    private readonly CudaPlane[] _cudaPlanes = new CudaPlane[Wire.MaxPlanes];

    // Counters: written by the pump's thread alone, read by any; each is a word of its own and orders nothing else.
    private long _pictures;
    private long _frames;
    private long _dropped;

    // The pump's thread uses these; SetState before the pump has the rendition.
    private PictureScaler? _scaler;
    private CudaPictureScaler? _cudaScaler;

    /// <summary>The stream that the open frame is made on; null: the CPU has made it.</summary>
    private CudaStream? _stream;

    /// <summary>Whether the next frame, which makes the state LIVE, comes with a new text beside it.</summary>
    private bool _hasNews;
    private StreamFormat _source;
    private bool _isIdle;
    private FrameFlags _pending;
    private string? _trouble;
    private long _retryAt;

    /// <summary>Makes a rendition.</summary>
    /// <param name="publisher">Its stream; becomes the rendition's. In device memory only for a camera whose frames lie there too.</param>
    /// <param name="options">What to make.</param>
    /// <param name="onTrouble">Is told, on the pump's thread, why no frames can be made, once for each reason: it must return soon and must not throw.</param>
    /// <param name="budget">
    /// The limit of the device memory that a rendition in main memory needs for its result; null: none. A ring in device memory counts in that of its
    /// publisher.
    /// </param>
    /// <exception cref="MediaException">An option is out of range.</exception>
    public Rendition(FramePublisher publisher, RenditionOptions options, Action<string>? onTrouble = null, MemoryBudget? budget = null)
    {
        ArgumentNullException.ThrowIfNull(publisher);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (Publisher, _options, _onTrouble) = (publisher, options, onTrouble);
        _rate = new FrameRateLimit(options.MaxFrameRate);
        _result = new DevicePicture(publisher.Key, budget);
    }

    /// <summary>The stream.</summary>
    public FramePublisher Publisher { get; }

    /// <summary>Counters now.</summary>
    public RenditionStatistics Statistics => new(Volatile.Read(ref _pictures), Volatile.Read(ref _frames), Volatile.Read(ref _dropped));

    /// <summary>Ends the stream and gives everything back. Not while a pump has the rendition.</summary>
    public void Dispose()
    {
        if (Publisher.HasOpenFrame)
        {
            // It was removed between Begin and End: the device still writes into memory that goes now.
            StreamEnd.Await(_stream);
        }

        Publisher.Dispose();
        _scaler?.Dispose();
        _cudaScaler?.Dispose();
        _result.Dispose();
    }

    /// <summary>Tells readers what the camera does. The pump's thread, or any before the pump has the rendition.</summary>
    internal void SetState(StreamState state, string reason)
    {
        _isIdle = false;
        _hasNews = true;
        Publisher.SetState(state, reason);
    }

    /// <summary>
    /// Makes a frame of the source's current one, if somebody reads and it is due; on a GPU the work is only enqueued, on the source's stream.
    /// <see cref="End"/> waits for it and publishes. The pump's thread.
    /// </summary>
    /// <param name="source">The source. What was copied of its frame must stay as it is until <see cref="End"/>.</param>
    /// <param name="frame">Its frame.</param>
    /// <param name="metadata">What the camera's stream tells of the frame.</param>
    /// <param name="scratch">Where a frame is uploaded that is to be scaled on the GPU and is not there yet; for all renditions of a camera.</param>
    internal void Begin(IPictureSource source, in MediaFrame frame, in FrameMetadata metadata, DevicePicture scratch)
    {
        if (Publisher.SubscriberCount == 0 && (_isIdle || TryBeIdle(in frame)))
        {
            return;
        }

        if (_isIdle)
        {
            _isIdle = false;
            if (Publisher.Head > 0)
            {
                Publisher.SetState(StreamState.Live);
            }
        }

        if (!_rate.IsChosen(metadata.Pts, metadata.Duration) || (_trouble is not null && MonotonicClock.NowNanoseconds < _retryAt))
        {
            _pending |= metadata.Flags & FrameFlags.Discontinuity;
            return;
        }

        FrameWriter writer = default;
        bool hasFrame = false;
        try
        {
            Configure(source, in frame, in metadata);
            hasFrame = Publisher.TryBeginFrame(out writer);
            if (!hasFrame)
            {
                _pending |= metadata.Flags & FrameFlags.Discontinuity;
                Volatile.Write(ref _dropped, _dropped + 1);
                return;
            }

            _stream = source.Stream;
            if (_stream is null)
            {
                Scale(source, in writer);
            }
            else
            {
                EnqueueScale(source, _stream, in frame, in writer, scratch);
            }

            Volatile.Write(ref _pictures, _pictures + 1);
            writer.Metadata = metadata;
            writer.Metadata.Flags |= _pending;
            Describe(frame.Format, ref writer.Metadata);
            _pending = FrameFlags.None;
            _trouble = null;
        }
        catch (Exception error) when (error is CuFramesException or LinuxException)
        {
            if (hasFrame)
            {
                // Of several steps the first ones may be under way: the slot is another frame's only behind them.
                StreamEnd.Await(_stream);
                writer.Dispose();
            }

            Report(error.Message);
        }
    }

    /// <summary>Publishes the frame that was begun, if there is one. The pump's thread.</summary>
    /// <param name="flags">What has become known of the frame since.</param>
    internal void End(FrameFlags flags)
    {
        if (!Publisher.HasOpenFrame)
        {
            return;
        }

        FrameWriter writer = Publisher.OpenFrame;
        writer.Metadata.Flags |= flags;
        if (_stream is null)
        {
            writer.Publish();
        }
        else
        {
            try
            {
                writer.Publish(_stream);
            }
            catch (CudaException error)
            {
                // The camera meets the same at its next read, if it is the context that broke.
                writer.Dispose();
                Report(error.Message);
                return;
            }
        }

        Volatile.Write(ref _frames, _frames + 1);
        if (_hasNews && _stream is not null)
        {
            _hasNews = false;
            Publisher.SetState(StreamState.Live, Describe(_stream.Context));
        }
    }

    private void Scale(IPictureSource source, in FrameWriter writer)
    {
        int count = writer.PlaneCount;
        for (int plane = 0; plane < count; plane++)
        {
            _planes[plane] = new PicturePlane(writer.PlaneAddress(plane), (nuint)writer.Pitch(plane));
        }

        source.ScaleFrame(_scaler!, _planes.AsSpan(0, count));
    }

    /// <summary>One launch, and for a ring in main memory one download.</summary>
    private void EnqueueScale(IPictureSource source, CudaStream stream, in MediaFrame frame, in FrameWriter writer, DevicePicture scratch)
    {
        if (!source.IsFrameOnDevice)
        {
            // The camera's own ring had no slot for it.
            source.EnqueueCopy(scratch.Shape(stream, frame.Format, frame.Width, frame.Height));
        }

        if (writer.Memory == MemoryDomain.Cuda)
        {
            int count = writer.PlaneCount;
            for (int plane = 0; plane < count; plane++)
            {
                _cudaPlanes[plane] = new CudaPlane(writer.DeviceAddress(plane), writer.Pitch(plane));
            }

            source.EnqueueScale(_cudaScaler!, _cudaPlanes.AsSpan(0, count));
            return;
        }

        ReadOnlySpan<CudaPlane> result = _result.Shape(stream, writer.PixelFormat, writer.Width, writer.Height);
        source.EnqueueScale(_cudaScaler!, result);
        stream.Copy(new CudaCopy
        {
            Source = result[0].Address,
            SourcePitch = _result.Length,
            SourceIsDevice = true,
            Destination = (ulong)writer.PlaneAddress(0),
            DestinationPitch = _result.Length,
            RowBytes = _result.Length,
            Rows = 1,
        });
    }

    /// <returns>False when somebody has come just now.</returns>
    private bool TryBeIdle(in MediaFrame frame)
    {
        if (!Publisher.TryRest())
        {
            return false;
        }

        _isIdle = true;
        _result.Dispose();
        _source = default;
        _rate.Reset();
        _pending = FrameFlags.None;
        _trouble = null;
        (int width, int height) = _options.SizeOf(frame.Width, frame.Height);
        string rate = _options.MaxFrameRate is { } most ? FormattableString.Invariant($", at most {most} frames per second") : "";

        Publisher.SetState(
            Publisher.Head == 0 ? StreamState.Starting : StreamState.Live,
            $"{IdleText}; {PixelFormats.Name(_options.Format ?? frame.Format)} {width}x{height}{rate}.");
        return true;
    }

    private void Report(string reason)
    {
        _retryAt = MonotonicClock.NowNanoseconds + RetryInterval;
        if (reason != _trouble)
        {
            _trouble = reason;
            _hasNews = true;
            Publisher.SetState(StreamState.SourceLost, reason);
            _onTrouble?.Invoke(reason);
        }
    }

    private void Configure(IPictureSource source, in MediaFrame frame, in FrameMetadata metadata)
    {
        if (_source.PixelFormat == frame.Format && _source.Width == frame.Width && _source.Height == frame.Height)
        {
            return;
        }

        (int width, int height) = _options.SizeOf(frame.Width, frame.Height);
        PixelFormat format = _options.Format ?? frame.Format;
        _source = default;
        if (source.Stream is { } stream)
        {
            MakeCudaScaler(stream.Context, format, width, height);
        }
        else if (Publisher.Memory == MemoryDomain.Cuda)
        {
            throw new MediaException(MediaError.InvalidArgument, $"Stream '{Publisher.Key}' lies in device memory, and its camera's frames do not.");
        }
        else
        {
            MakeScaler(format, width, height);
        }

        FrameMetadata colours = metadata;
        Describe(frame.Format, ref colours);
        (uint numerator, uint denominator) = RateOf(source.Info);
        Publisher.Configure(new StreamFormat(format, width, height)
        {
            FrameRateNumerator = numerator,
            FrameRateDenominator = denominator,
            ColourMatrix = colours.ColourMatrix,
            ColourRange = colours.ColourRange,
            ColourPrimaries = colours.ColourPrimaries,
            ColourTransfer = colours.ColourTransfer,
        });
        _source = new StreamFormat(frame.Format, frame.Width, frame.Height);
        _hasNews = true;
    }

    private void MakeScaler(PixelFormat format, int width, int height)
    {
        if (_scaler is null || _scaler.Format != format || _scaler.Width != width || _scaler.Height != height)
        {
            _scaler?.Dispose();
            _scaler = null;
            _scaler = new PictureScaler(format, width, height, _options.Fit, _options.Tensor, _options.Filter);
        }
    }

    private void MakeCudaScaler(CudaContext context, PixelFormat format, int width, int height)
    {
        if (_cudaScaler is null || _cudaScaler.Format != format || _cudaScaler.Width != width || _cudaScaler.Height != height)
        {
            _cudaScaler?.Dispose();
            _cudaScaler = null;
            _cudaScaler = new CudaPictureScaler(context, format, width, height, _options.Fit, _options.Tensor);
        }

        if (Publisher.Memory == MemoryDomain.Host)
        {
            Publisher.PinFor(context);
        }
    }

    private void Describe(PixelFormat source, ref FrameMetadata metadata)
    {
        if (_cudaScaler is not null)
        {
            _cudaScaler.Describe(source, ref metadata);
        }
        else
        {
            _scaler!.Describe(source, ref metadata);
        }
    }

    /// <summary>Where frames are made, and what brings them to main memory.</summary>
    private string Describe(CudaContext context)
    {
        string scaled = $"Scaled on {context.Device.Name} ({context.Device.UuidText})";
        return Publisher.Memory == MemoryDomain.Cuda ? $"{scaled}, where the frames lie."
            : Publisher.PinningFault is { } fault ? $"{scaled}; each frame is copied to main memory once, through memory of the driver's, which costs CPU time: {fault}"
            : $"{scaled}; each frame is copied to main memory once.";
    }

    /// <summary>The source's rate, or the limit if that is lower.</summary>
    private (uint Numerator, uint Denominator) RateOf(MediaInfo info)
    {
        (uint numerator, uint denominator) = ((uint)info.FrameRateNumerator, (uint)info.FrameRateDenominator);
        if (_options.MaxFrameRate is not { } most || (numerator > 0 && (double)numerator / denominator <= most))
        {
            return (numerator, denominator);
        }

        // Rates have up to three decimals; those of video that have more (30000/1001) are no limits that people ask for.
        uint thousandths = (uint)Math.Clamp(Math.Round(most * 1000), 1, 1e9);
        uint divisor = (uint)System.Numerics.BigInteger.GreatestCommonDivisor(thousandths, 1000);
        return (thousandths / divisor, 1000 / divisor);
    }
}
