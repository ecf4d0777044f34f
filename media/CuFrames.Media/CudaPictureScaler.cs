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
public sealed class CudaPictureScaler : IDisposable
{
    private readonly CudaContext _context;

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
        (_context, Format, Width, Height, Fit) = (context, format, width, height, fit);
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
    public long Pictures { get; }

    /// <summary>
    /// Enqueues the scaling of a picture: one launch, which nobody waits for. Allocates nothing but for the first picture of a size, format and chroma
    /// location, whose tables are uploaded before the call returns.
    /// </summary>
    /// <param name="stream">Where, in the scaler's context.</param>
    /// <param name="source">The picture. It must stay as it is until the work is done.</param>
    /// <param name="target">As many planes as the result has. Bytes between the end of a row and the pitch are left alone.</param>
    /// <exception cref="MediaException">The picture or the planes do not fit.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    public void Enqueue(CudaStream stream, in CudaPicture source, ReadOnlySpan<CudaPlane> target) =>
        throw new MediaException(MediaError.UnsupportedFormat, $"The kernel for {_context.Device} is not built in yet.");

    /// <summary>Turns the colours of a picture's metadata into those of its result.</summary>
    /// <param name="source">Format of the picture, as a ring would carry it.</param>
    /// <param name="metadata">The picture's metadata.</param>
    public void Describe(PixelFormat source, ref FrameMetadata metadata) => ScaledColours.Describe(source, Format, Height, ref metadata);

    /// <summary>Gives tables and kernel back. No work of the scaler may be under way.</summary>
    public void Dispose()
    {
    }
}
