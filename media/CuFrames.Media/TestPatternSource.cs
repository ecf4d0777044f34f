using CuFrames.Interop;
using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>The built-in test pattern as a source. Frame n, from 0, has the picture n of <see cref="TestPattern"/> and pts n / rate.</summary>
/// <remarks>Does not pace. One thread at a time; only <see cref="Abort"/> may be called from any thread.</remarks>
public sealed class TestPatternSource : IPictureSource
{
    private readonly TestPatternOptions _options;
    private readonly TestPattern _pattern;
    private readonly CudaContext? _cuda;
    private PictureUpload? _upload;
    private ScratchPicture? _scratch;
    private FrameMetadata _metadata;

    /// <summary>The picture that the scratch holds; -1: none.</summary>
    private long _scratchNumber = -1;
    private long _next;

    /// <summary>Written by any thread, read by the reading thread; guards no other data.</summary>
    private volatile bool _aborted;

    /// <summary>Makes a source.</summary>
    /// <param name="options">Size, format and pace.</param>
    /// <param name="cuda">The context that frames are copied into; null: frames go to main memory. Must outlive the source.</param>
    /// <exception cref="MediaException">An option is out of range.</exception>
    public TestPatternSource(TestPatternOptions options, CudaContext? cuda = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.FrameRateNumerator is < 1 or > 1_000_000 || options.FrameRateDenominator is < 1 or > 1_000_000 || options.FrameCount < 0)
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"A test pattern needs a frame rate of 1 to 1000000 by 1 to 1000000 and a count that is not negative, found {options.FrameRateNumerator}/{options.FrameRateDenominator} and {options.FrameCount}.");
        }

        _options = options;
        _cuda = cuda;
        _pattern = new TestPattern(options.Format, options.Width, options.Height);
        Info = new MediaInfo(
            "test", "pattern", string.Empty, PixelFormats.Name(options.Format), options.Width, options.Height, options.FrameRateNumerator,
            options.FrameRateDenominator, null, IsLive: false);
    }

    /// <inheritdoc/>
    public MediaInfo Info { get; }

    /// <inheritdoc/>
    public long Packets => _next;

    /// <inheritdoc/>
    public long Bytes => 0;

    /// <inheritdoc/>
    public long DecodeErrors => 0;

    /// <inheritdoc/>
    public CudaStream? Stream { get; private set; }

    /// <inheritdoc/>
    public void Open()
    {
        RequireNotAborted();
        if (_cuda is not null)
        {
            Stream = CudaStream.Create(_cuda);
            _upload = new PictureUpload(Stream);
        }
    }

    /// <inheritdoc/>
    public bool TryReadFrame(out MediaFrame frame)
    {
        RequireNotAborted();
        if (_next >= _options.FrameCount)
        {
            frame = default;
            return false;
        }

        _upload?.Forget();
        long number = _next++;
        long pts = PtsOf(number);
        bool isRgb = _options.Format is PixelFormat.Rgb24 or PixelFormat.Bgr24 or PixelFormat.Rgba or PixelFormat.Bgra;
        frame = new MediaFrame
        {
            Width = _options.Width,
            Height = _options.Height,
            Format = _options.Format,
            SourceFormat = Info.PixelFormat,
            Metadata = new FrameMetadata
            {
                Pts = pts,
                Duration = PtsOf(number + 1) - pts,
                ArrivalTime = MonotonicClock.NowNanoseconds,
                SourcePacket = (ulong)number + 1,
                Flags = FrameFlags.Key,
                PictureType = PictureType.Intra,
                ColourMatrix = isRgb ? (byte)0 : (byte)1,
                ColourPrimaries = 1,
                ColourTransfer = 1,
                ColourRange = isRgb ? ColourRange.Full : ColourRange.Limited,
                ChromaLocation = PixelFormats.IsSubsampled(_options.Format) ? (byte)1 : (byte)0,
            },
        };
        _metadata = frame.Metadata;
        return true;
    }

    /// <inheritdoc/>
    public void CopyFrame(ReadOnlySpan<PicturePlane> planes)
    {
        RequireFrame();
        _pattern.Fill(planes, _next - 1);
    }

    /// <inheritdoc/>
    public void ScaleFrame(PictureScaler scaler, ReadOnlySpan<PicturePlane> planes)
    {
        ArgumentNullException.ThrowIfNull(scaler);
        RequireFrame();
        _scratch ??= new ScratchPicture();
        ReadOnlySpan<PicturePlane> picture = _scratch.Shape(_options.Format, _options.Width, _options.Height);
        if (_scratchNumber != _next - 1)
        {
            _pattern.Fill(picture, _next - 1);
            _scratchNumber = _next - 1;
        }

        scaler.Scale(_options.Format, _options.Width, _options.Height, picture, _metadata, planes);
    }

    /// <inheritdoc/>
    public void EnqueueCopy(ReadOnlySpan<CudaPlane> planes)
    {
        RequireFrame();
        if (_upload is null)
        {
            throw new MediaException(MediaError.InvalidArgument, "A source without a CUDA context cannot copy into device memory.");
        }

        ReadOnlySpan<PicturePlane> pinned = _upload.Begin(_options.Format, _options.Width, _options.Height);
        if (planes.Length != pinned.Length)
        {
            throw new MediaException(MediaError.InvalidArgument, $"The format has {pinned.Length} planes, found {planes.Length}.");
        }

        _pattern.Fill(pinned, _next - 1);
        _upload.Enqueue(planes);
    }

    /// <inheritdoc/>
    public bool IsFrameOnDevice => _upload is { HasDestination: true };

    /// <inheritdoc/>
    public void EnqueueScale(CudaPictureScaler scaler, ReadOnlySpan<CudaPlane> planes)
    {
        ArgumentNullException.ThrowIfNull(scaler);
        RequireFrame();
        if (_upload is null)
        {
            throw new MediaException(MediaError.InvalidArgument, "A source without a CUDA context cannot scale in device memory.");
        }

        scaler.Enqueue(Stream!, _upload.PictureOnDevice(_metadata), planes);
    }

    /// <inheritdoc/>
    public void Abort() => _aborted = true;

    /// <inheritdoc/>
    public void Dispose()
    {
        _aborted = true;
        StreamEnd.Await(Stream);
        _upload?.Dispose();
        _scratch?.Dispose();
        Stream?.Dispose();
        Stream = null;
    }

    private void RequireFrame()
    {
        if (_next == 0)
        {
            throw new MediaException(MediaError.InvalidArgument, "There is no current frame before the first read.");
        }
    }

    private void RequireNotAborted()
    {
        if (_aborted)
        {
            throw new MediaException(MediaError.Aborted, "The test pattern was stopped.");
        }
    }

    private long PtsOf(long number) =>
        (long)((Int128)number * 1_000_000_000 * _options.FrameRateDenominator / _options.FrameRateNumerator);
}
