using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>A frame as people look at it: RGB in host memory, upright, at most as wide as wanted. Immutable; encoding is safe from any thread.</summary>
public sealed class FramePicture
{
    private const int PixelBytes = 3;

    /// <summary>As AV_INPUT_BUFFER_PADDING_SIZE of libavcodec: its vector code may read a little past the end of a picture.</summary>
    private const int ReadPastEnd = 64;

    private readonly byte[] _rgb;

    private FramePicture(byte[] rgb, int width, int height, (double Least, double Most)? numbers) => (_rgb, Width, Height, Numbers) = (rgb, width, height, numbers);

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Of a tensor of floating-point numbers: the smallest and the largest, which are 0 and 255 in the picture. Null for all other frames.</summary>
    public (double Least, double Most)? Numbers { get; }

    /// <summary>Makes a picture of a frame, wherever it lies. The frame may be released afterwards.</summary>
    /// <param name="frame">The frame. Colours are those of its metadata (<see cref="PictureEncoder.ToRgb24"/>), and it is turned as they say.</param>
    /// <param name="maxWidth">Columns that the picture may have: a wider one is scaled down in its proportions. 0: as many as it has.</param>
    /// <exception cref="CuFramesException">The frame cannot be copied, for example because its GPU cannot be used.</exception>
    /// <exception cref="MediaException">The format is not known.</exception>
    public static FramePicture Of(Frame frame, int maxWidth = 0)
    {
        FrameMetadata metadata = frame.Metadata;
        (double Least, double Most)? numbers = null;
        byte[] picture = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height) + ReadPastEnd];
        frame.CopyTo(picture);
        byte[] rgb = new byte[(frame.Width * frame.Height * PixelBytes) + ReadPastEnd];
        if (PixelFormats.IsTensor(frame.PixelFormat))
        {
            (double, double) range = TensorPreview.ToRgb24(frame.PixelFormat, frame.Width, frame.Height, picture, rgb);
            numbers = PixelFormats.IsFloat(frame.PixelFormat) ? range : null;
        }
        else
        {
            ToRgb(frame, picture, metadata, rgb);
        }

        (byte[] turned, int width, int height) = Turn(rgb, frame.Width, frame.Height, metadata.Rotation);
        return maxWidth > 0 && width > maxWidth
            ? Shrink(turned, width, height, maxWidth, numbers)
            : new FramePicture(turned, width, height, numbers);
    }

    /// <summary>The content of a PNG file, 8 bits a channel.</summary>
    /// <exception cref="MediaException">libavcodec has no PNG encoder, or memory ran out.</exception>
    public byte[] ToPng() => PictureEncoder.EncodePng(_rgb, Width, Height);

    /// <summary>The content of a JPEG file.</summary>
    /// <exception cref="MediaException">libavcodec has no JPEG encoder, or memory ran out.</exception>
    public byte[] ToJpeg()
    {
        using JpegEncoder encoder = new();
        return encoder.Encode(PixelFormat.Rgb24, Width, Height, _rgb, default).ToArray();
    }

    private static unsafe void ToRgb(Frame frame, byte[] picture, in FrameMetadata metadata, byte[] rgb)
    {
        PicturePlane[] planes = new PicturePlane[frame.PlaneCount];
        fixed (byte* first = picture)
        {
            byte* next = first;
            for (int index = 0; index < planes.Length; index++)
            {
                int pitch = PixelFormats.RowBytes(frame.PixelFormat, index, frame.Width);
                planes[index] = new PicturePlane((nint)next, (nuint)pitch);
                next += (long)pitch * PixelFormats.Rows(frame.PixelFormat, index, frame.Height);
            }

            PictureEncoder.ToRgb24(frame.PixelFormat, frame.Width, frame.Height, planes, metadata, rgb);
        }
    }

    /// <summary>Turns an RGB picture clockwise; only the lower two bits of the quarter turns count.</summary>
    private static (byte[] Rgb, int Width, int Height) Turn(byte[] rgb, int width, int height, int quarterTurns)
    {
        quarterTurns &= 3;
        if (quarterTurns == 0)
        {
            return (rgb, width, height);
        }

        (int turnedWidth, int turnedHeight) = quarterTurns == 2 ? (width, height) : (height, width);
        byte[] turned = new byte[rgb.Length];
        for (int y = 0; y < turnedHeight; y++)
        {
            for (int x = 0; x < turnedWidth; x++)
            {
                (int fromX, int fromY) = quarterTurns switch
                {
                    1 => (y, height - 1 - x),
                    2 => (width - 1 - x, height - 1 - y),
                    _ => (width - 1 - y, x),
                };
                rgb.AsSpan(((fromY * width) + fromX) * PixelBytes, PixelBytes).CopyTo(turned.AsSpan(((y * turnedWidth) + x) * PixelBytes));
            }
        }

        return (turned, turnedWidth, turnedHeight);
    }

    private static unsafe FramePicture Shrink(byte[] rgb, int width, int height, int maxWidth, (double Least, double Most)? numbers)
    {
        int rows = Math.Max(1, (int)Math.Round((double)height * maxWidth / width));
        byte[] small = new byte[(maxWidth * rows * PixelBytes) + ReadPastEnd];
        using PictureScaler scaler = new(PixelFormat.Rgb24, maxWidth, rows, PictureFit.Stretch);
        fixed (byte* from = rgb, to = small)
        {
            scaler.Scale(
                PixelFormat.Rgb24,
                width,
                height,
                [new PicturePlane((nint)from, (nuint)(width * PixelBytes))],
                default,
                [new PicturePlane((nint)to, (nuint)(maxWidth * PixelBytes))]);
        }

        return new FramePicture(small, maxWidth, rows, numbers);
    }
}
