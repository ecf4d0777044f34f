using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>
/// Encodes pictures in host memory as JPEG files, by libavcodec: BT.601, full range, 4:2:0, as JFIF asks for. What a picture of one size and format
/// needs is kept for the next one. One thread at a time.
/// </summary>
public sealed unsafe class JpegEncoder : IDisposable
{
    private const int ErrorCapacity = 256;

    private readonly AvJpegEncoderHandle _handle;

    /// <summary>Makes an encoder.</summary>
    /// <exception cref="MediaException">The shim is missing, or memory ran out.</exception>
    public JpegEncoder()
    {
        MediaLibrary.Load();
        _handle = AvNative.CreateJpegEncoder();
        if (_handle.IsInvalid)
        {
            throw new MediaException(MediaError.OutOfMemory, "Memory ran out while a JPEG encoder was made.");
        }
    }

    /// <summary>Whether pictures of a format can be encoded: all but the tensors.</summary>
    /// <param name="format">The format.</param>
    public static bool CanEncode(PixelFormat format) => AvFormats.FromPixelFormat(format) != 0 && !PixelFormats.IsTensor(format);

    /// <summary>Encodes a picture.</summary>
    /// <param name="format">Its format.</param>
    /// <param name="width">Its columns, 1 to 16,384.</param>
    /// <param name="height">Its rows, 1 to 16,384.</param>
    /// <param name="picture">Its planes in order, rows without padding: <see cref="PixelFormats.PictureBytes"/>.</param>
    /// <param name="metadata">
    /// Matrix and range are taken from here. An unspecified matrix is taken as BT.709 from 720 rows up and as BT.601 below, an
    /// unknown range as limited: the convention of video players. Nothing is rotated.
    /// </param>
    /// <returns>The content of a JPEG file. It belongs to the encoder: good until the next call.</returns>
    /// <exception cref="MediaException">The format cannot be encoded, or sizes do not fit.</exception>
    public ReadOnlySpan<byte> Encode(PixelFormat format, int width, int height, ReadOnlySpan<byte> picture, in FrameMetadata metadata)
    {
        if (!CanEncode(format) || width is < 1 or > Wire.MaxDimension || height is < 1 or > Wire.MaxDimension ||
            picture.Length < PixelFormats.PictureBytes(format, width, height))
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"A JPEG is made of a picture of 1 to {Wire.MaxDimension} columns and rows that is no tensor; " +
                $"found {PixelFormats.Name(format)} {width}x{height} in {picture.Length} bytes.");
        }

        AvNative.Picture input = new()
        {
            Size = (uint)sizeof(AvNative.Picture),
            Format = AvFormats.FromPixelFormat(format),
            Width = (uint)width,
            Height = (uint)height,
            Matrix = metadata.ColourMatrix,
            Range = (uint)metadata.ColourRange,
        };
        byte* error = stackalloc byte[ErrorCapacity];
        error[0] = 0;
        byte* jpeg;
        nuint size;
        fixed (byte* first = picture)
        {
            nint position = (nint)first;
            for (int plane = 0; plane < PixelFormats.PlaneCount(format); plane++)
            {
                int pitch = PixelFormats.RowBytes(format, plane, width);
                input.Planes[plane] = new PicturePlane(position, (nuint)pitch);
                position += (nint)pitch * PixelFormats.Rows(format, plane, height);
            }

            int result = AvNative.EncodeJpeg(_handle, &input, &jpeg, &size, error, ErrorCapacity);
            if (result < 0)
            {
                throw AvText.PictureError($"Cannot encode a {PixelFormats.Name(format)} picture of {width}x{height} as JPEG", result, error, ErrorCapacity);
            }
        }

        return new ReadOnlySpan<byte>(jpeg, (int)size);
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
