using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>Turns a host frame into a picture that people can look at. All members are safe from any thread.</summary>
public static unsafe class PictureEncoder
{
    private const int ErrorCapacity = 256;

    /// <summary>Converts a frame to RGB, 3 bytes per pixel in the order R, G, B, rows without padding.</summary>
    /// <param name="format">Format of the frame.</param>
    /// <param name="width">Visible columns, 1 to 16384.</param>
    /// <param name="height">Visible rows, 1 to 16384.</param>
    /// <param name="planes">The frame's planes at the first visible sample.</param>
    /// <param name="metadata">
    /// Matrix and range are taken from here. An unspecified matrix is taken as BT.709 from 720 rows up and as BT.601 below, an
    /// unknown range as limited: the convention of video players. Nothing is rotated.
    /// </param>
    /// <param name="rgb">Receives width × height × 3 bytes.</param>
    /// <exception cref="MediaException">The format is not known, or planes or buffer do not fit.</exception>
    public static void ToRgb24(
        PixelFormat format, int width, int height, ReadOnlySpan<PicturePlane> planes, in FrameMetadata metadata, Span<byte> rgb)
    {
        RequireSize(width, height, rgb.Length);
        for (int plane = 0; plane < planes.Length; plane++)
        {
            if (planes[plane].Address == 0 || planes[plane].Pitch < (nuint)PixelFormats.RowBytes(format, plane, width))
            {
                throw new MediaException(
                    MediaError.InvalidArgument,
                    $"Plane {plane} needs a pitch of at least {PixelFormats.RowBytes(format, plane, width)} bytes, found {planes[plane].Pitch}.");
            }
        }

        MediaLibrary.Load();
        byte* error = stackalloc byte[ErrorCapacity];
        error[0] = 0;
        fixed (PicturePlane* first = planes)
        fixed (byte* target = rgb)
        {
            int result = AvNative.ToRgb24(
                AvFormats.FromPixelFormat(format), (uint)width, (uint)height, first, (uint)planes.Length, metadata.ColourMatrix,
                (uint)metadata.ColourRange, target, (nuint)width * 3, error, ErrorCapacity);
            if (result < 0)
            {
                throw AvText.PictureError($"Cannot convert a {PixelFormats.Name(format)} frame to RGB", result, error, ErrorCapacity);
            }
        }
    }

    /// <summary>Encodes an RGB picture as PNG.</summary>
    /// <param name="rgb">Bytes R, G, B, rows without padding.</param>
    /// <param name="width">Columns, 1 to 16384.</param>
    /// <param name="height">Rows, 1 to 16384.</param>
    /// <returns>The content of a PNG file.</returns>
    /// <exception cref="MediaException">The sizes do not fit, or libavcodec has no PNG encoder.</exception>
    public static byte[] EncodePng(ReadOnlySpan<byte> rgb, int width, int height)
    {
        RequireSize(width, height, rgb.Length);
        MediaLibrary.Load();
        byte* error = stackalloc byte[ErrorCapacity];
        error[0] = 0;
        byte* png = null;
        nuint size = 0;
        fixed (byte* source = rgb)
        {
            int result = AvNative.EncodePng(source, (nuint)width * 3, (uint)width, (uint)height, &png, &size, error, ErrorCapacity);
            if (result < 0)
            {
                throw AvText.PictureError("Cannot encode a PNG picture", result, error, ErrorCapacity);
            }
        }

        byte[] content = new ReadOnlySpan<byte>(png, (int)size).ToArray();
        AvNative.BufferFree(png);
        return content;
    }

    private static void RequireSize(int width, int height, int bytes)
    {
        if (width is < 1 or > 16384 || height is < 1 or > 16384 || bytes < (long)width * height * 3)
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"An RGB picture of {width}x{height} needs 1 to 16384 columns and rows and {(long)width * height * 3} bytes, found {bytes} bytes.");
        }
    }
}
