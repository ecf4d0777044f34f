using CuFrames.Interop;
using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>
/// Brings pictures in device memory to a size and format by one kernel, media/kernels/rendition.cu. One thread at a time.
/// </summary>
/// <remarks>
/// Geometry, borders, matrix and range are those of <see cref="PictureScaler"/>. Chroma is taken as lying where the picture says, on the left when it says
/// nothing, and lies there in the result too.
/// </remarks>
public sealed unsafe class CudaPictureScaler : IDisposable
{
    private readonly CudaContext _context;
    private readonly TensorOptions _tensor;
    private readonly RenditionKernel _kernel;
    private CudaMemory? _tables;
    private RenditionPlan? _plan;
    private bool _isDisposed;

    /// <summary>Makes a scaler.</summary>
    /// <param name="context">Where pictures and results lie. It is kept alive by the scaler.</param>
    /// <param name="format">Format of the results.</param>
    /// <param name="width">Columns of the results, borders included, 1 to 16,384.</param>
    /// <param name="height">Rows of the results, borders included, 1 to 16,384.</param>
    /// <param name="fit">What is done about pictures of another shape.</param>
    /// <param name="tensor">What the numbers of a floating-point format are; null: the defaults. Null with every other format.</param>
    /// <exception cref="MediaException">Format, size, fit or the tensor's numbers are out of range.</exception>
    /// <exception cref="CudaException">The driver refused the kernel.</exception>
    public CudaPictureScaler(CudaContext context, PixelFormat format, int width, int height, PictureFit fit, TensorOptions? tensor = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!PixelFormats.IsKnown(format) || width is < 1 or > Wire.MaxDimension || height is < 1 or > Wire.MaxDimension || !Enum.IsDefined(fit))
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"Pictures can be scaled to a known format of 1 to {Wire.MaxDimension} columns and rows, found {PixelFormats.Name(format)} {width}x{height}.");
        }

        tensor?.Validate(format);
        (_context, Format, Width, Height, Fit, _tensor) = (context, format, width, height, fit, tensor ?? TensorOptions.Default);
        _kernel = RenditionKernel.Use(context);
    }

    /// <summary>Format of the results.</summary>
    public PixelFormat Format { get; }

    /// <summary>Columns of the results.</summary>
    public int Width { get; }

    /// <summary>Rows of the results.</summary>
    public int Height { get; }

    /// <summary>What is done about pictures of another shape.</summary>
    public PictureFit Fit { get; }

    /// <summary>Pictures that were enqueued.</summary>
    public long Pictures { get; private set; }

    /// <summary>
    /// Loads the kernel before the first scaler is made, which then costs some microseconds. The driver compiles it once for each version of itself and keeps the
    /// result in a cache; without that it takes some 0.2 s. Any thread.
    /// </summary>
    /// <param name="context">Where; it is kept alive.</param>
    /// <returns>Keeps the kernel loaded until it is disposed of.</returns>
    /// <exception cref="CudaException">The driver refused the kernel.</exception>
    public static IDisposable LoadKernel(CudaContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return new LoadedKernel(RenditionKernel.Use(context));
    }

    /// <summary>
    /// Enqueues the scaling of a picture: one launch, which nobody waits for. Allocates nothing, but for a picture whose size, format or colours are others
    /// than those of the one before: then tables are made and uploaded, and what was queued on the stream is waited for.
    /// </summary>
    /// <param name="stream">Where, in the scaler's context; the same one each time, unless the work on the other is done.</param>
    /// <param name="source">The picture. It must stay as it is until the work is done.</param>
    /// <param name="target">
    /// As many planes as the result has, which begin at multiples of the sample's bytes, as their rows do. Bytes between the end of a row and the pitch are
    /// left alone. A result must not lie in the picture's memory.
    /// </param>
    /// <exception cref="MediaException">The picture or the planes do not fit.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    public void Enqueue(CudaStream stream, in CudaPicture source, ReadOnlySpan<CudaPlane> target)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (stream.Context.Handle != _context.Handle)
        {
            throw new MediaException(MediaError.InvalidArgument, "The stream belongs to another context than the scaler.");
        }

        RequirePicture(in source);
        RequireTarget(target);
        if (_plan is null || _plan.Source != source with { Plane0 = default, Plane1 = default, Plane2 = default })
        {
            Prepare(stream, in source);
        }

        stream.Launch(_kernel.Function, _plan!.Blocks, RenditionParameters.Threads, in _plan.Place(_tables!.Address, in source, target));
        Pictures++;
    }

    /// <summary>Turns the colours of a picture's metadata into those of its result.</summary>
    /// <param name="source">Format of the picture, as a ring would carry it.</param>
    /// <param name="metadata">The picture's metadata.</param>
    public void Describe(PixelFormat source, ref FrameMetadata metadata) => ScaledColours.Describe(source, Format, Height, ref metadata);

    /// <summary>Gives tables and kernel back. No work of the scaler may be under way.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _tables?.Dispose();
            _kernel.Release();
        }
    }

    private static CudaPlane PlaneOf(in CudaPicture picture, int plane) => plane switch { 0 => picture.Plane0, 1 => picture.Plane1, _ => picture.Plane2 };

    private static void RequirePicture(in CudaPicture source)
    {
        if (!PixelFormats.IsKnown(source.Format) || PixelFormats.IsTensor(source.Format) || source.Width is < 1 or > Wire.MaxDimension ||
            source.Height is < 1 or > Wire.MaxDimension)
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"Scaling needs a picture of a known format that is no tensor, with 1 to {Wire.MaxDimension} columns and rows, found " +
                $"{PixelFormats.Name(source.Format)} {source.Width}x{source.Height}.");
        }

        for (int plane = 0; plane < PixelFormats.PlaneCount(source.Format); plane++)
        {
            RequirePlane(PlaneOf(in source, plane), source.Format, plane, source.Width, PixelFormats.SampleBytes(source.Format), "picture");
        }
    }

    private static void RequirePlane(CudaPlane found, PixelFormat format, int plane, int width, int alignment, string what)
    {
        int rowBytes = PixelFormats.RowBytes(format, plane, width);
        if (found.Address == 0 || found.Pitch < rowBytes || found.Address % (ulong)alignment != 0 || found.Pitch % alignment != 0)
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"Plane {plane} of a {PixelFormats.Name(format)} {what} needs an address and a pitch that are multiples of {alignment}, and a pitch of at " +
                $"least {rowBytes}, found address 0x{found.Address:x} and pitch {found.Pitch}.");
        }
    }

    private void RequireTarget(ReadOnlySpan<CudaPlane> target)
    {
        if (target.Length != PixelFormats.PlaneCount(Format))
        {
            throw new MediaException(
                MediaError.InvalidArgument, $"A {PixelFormats.Name(Format)} result has {PixelFormats.PlaneCount(Format)} planes, found {target.Length}.");
        }

        for (int plane = 0; plane < target.Length; plane++)
        {
            RequirePlane(target[plane], Format, plane, Width, PixelFormats.SampleBytes(Format), "result");
        }
    }

    /// <summary>Makes and uploads the tables for a picture.</summary>
    private void Prepare(CudaStream stream, in CudaPicture source)
    {
        // The tables before may still be in use.
        stream.Synchronize();
        _plan = null;
        RenditionPlan plan = new(in source, Format, Width, Height, Fit, _tensor);
        if (_tables is null || _tables.Size < plan.Tables.Length)
        {
            _tables?.Dispose();
            _tables = null;
            _tables = CudaMemory.Allocate(_context, plan.Tables.Length);
        }

        fixed (byte* tables = plan.Tables)
        {
            stream.Copy(new CudaCopy
            {
                Source = (ulong)tables,
                SourcePitch = plan.Tables.Length,
                Destination = _tables.Address,
                DestinationPitch = plan.Tables.Length,
                DestinationIsDevice = true,
                RowBytes = plan.Tables.Length,
                Rows = 1,
            });
            stream.Synchronize();
        }

        _plan = plan;
    }

    /// <summary>A user of the kernel that scales nothing.</summary>
    private sealed class LoadedKernel(RenditionKernel kernel) : IDisposable
    {
        private RenditionKernel? _kernel = kernel;

        public void Dispose() => Interlocked.Exchange(ref _kernel, null)?.Release();
    }
}
