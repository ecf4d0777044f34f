using System.Runtime.InteropServices;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>Shows tensors to people. All members are safe from any thread.</summary>
public static class TensorPreview
{
    /// <summary>Makes a picture of bytes R, G, B of a tensor.</summary>
    /// <remarks>Bytes are taken as they are. What numbers stand for is not known here: the smallest becomes 0 and the largest 255, over all channels alike, and
    /// those between them lie on a straight line. Infinities count as smallest and largest, what is no number becomes 0.</remarks>
    /// <param name="format">A tensor.</param>
    /// <param name="width">Columns, 1 to 16384.</param>
    /// <param name="height">Rows, 1 to 16384.</param>
    /// <param name="tensor">All of it: <see cref="PixelFormats.PictureBytes"/>.</param>
    /// <param name="rgb">Receives width × height × 3 bytes, rows without padding.</param>
    /// <returns>The smallest and the largest finite number; 0 and 255 for bytes.</returns>
    /// <exception cref="MediaException">The format is no tensor, or the sizes do not fit.</exception>
    public static (double Least, double Most) ToRgb24(PixelFormat format, int width, int height, ReadOnlySpan<byte> tensor, Span<byte> rgb)
    {
        long samples = 3L * width * height;
        if (!PixelFormats.IsTensor(format) || width is < 1 or > 16384 || height is < 1 or > 16384 ||
            tensor.Length < samples * PixelFormats.SampleBytes(format) || rgb.Length < samples)
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"A tensor of 1 to 16384 columns and rows, all of it, and room for its picture are needed; found {PixelFormats.Name(format)} {width}x{height}, " +
                $"{tensor.Length} bytes and room for {rgb.Length}.");
        }

        int pixels = width * height;
        bool isBlueFirst = format is PixelFormat.Bgrp or PixelFormat.BgrpF16 or PixelFormat.BgrpF32;
        int sampleBytes = PixelFormats.SampleBytes(format);
        double least = double.PositiveInfinity, most = double.NegativeInfinity;
        for (int i = 0; i < 3 * pixels && sampleBytes > 1; i++)
        {
            double number = NumberAt(tensor, sampleBytes, i);
            if (double.IsFinite(number))
            {
                (least, most) = (Math.Min(least, number), Math.Max(most, number));
            }
        }

        if (sampleBytes == 1)
        {
            (least, most) = (0, 255);
        }
        else if (least > most)
        {
            (least, most) = (0, 0);
        }

        double factor = most > least ? 255 / (most - least) : 0;
        for (int channel = 0; channel < 3; channel++)
        {
            int colour = isBlueFirst ? 2 - channel : channel;
            for (int pixel = 0; pixel < pixels; pixel++)
            {
                int index = (channel * pixels) + pixel;
                rgb[(3 * pixel) + colour] = sampleBytes == 1 ? tensor[index] : Shade(NumberAt(tensor, sampleBytes, index));
            }
        }

        return (least, most);

        byte Shade(double number) =>
            double.IsNaN(number) ? (byte)0 : (byte)Math.Round((Math.Clamp(number, least, most) - least) * factor, MidpointRounding.AwayFromZero);
    }

    private static double NumberAt(ReadOnlySpan<byte> tensor, int sampleBytes, int index) => sampleBytes == 4
        ? MemoryMarshal.Cast<byte, float>(tensor)[index]
        : (double)MemoryMarshal.Cast<byte, Half>(tensor)[index];
}
