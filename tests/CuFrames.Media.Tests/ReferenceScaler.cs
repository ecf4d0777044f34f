using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media.Tests;

/// <summary>
/// Scaling and conversion in double precision, as the documents define them and with no code of the scaler's: Keys' cubic with a = -0.6, stretched where the
/// result is smaller; ITU-T H.273 for the rest. Only where a picture lies in its result is taken from <see cref="ScalingGeometry"/>, which has its own tests.
/// </summary>
internal sealed class ReferenceScaler(CudaPicture source, byte[] samples, PixelFormat format, int width, int height, PictureFit fit, TensorOptions tensor)
{
    private readonly ScalingGeometry _part = ScalingGeometry.Of(
        fit, source.Width, source.Height, PixelFormats.IsSubsampled(source.Format) ? 2 : 1, PixelFormats.IsSubsampled(source.Format) ? 2 : 1, width, height,
        PixelFormats.IsSubsampled(format));

    private readonly Dictionary<(int Channel, bool IsHalved), double[]> _resampled = [];

    private bool FromRgb => IsRgb(source.Format);

    private bool ToRgb => IsRgb(format);

    private bool IsFull => FromRgb || source.Range == ColourRange.Full;

    private bool BecomesFull => FromRgb ? format == PixelFormat.Gray8 : IsFull;

    /// <summary>
    /// Each sample of the result before it is rounded, plane after plane as a raw video file has them; of P010 its ten bits, of tensors of
    /// floating-point numbers the numbers.
    /// </summary>
    public double[] Scale()
    {
        double[][] picture = [.. Enumerable.Range(0, ToRgb ? 3 : 1).Select(channel => Result(channel, isHalved: false))];
        double[][] chroma = PixelFormats.IsSubsampled(format) ? [[], Result(1, isHalved: true), Result(2, isHalved: true)] : [];
        int count = width * height;
        switch (format)
        {
            case PixelFormat.Gray8:
                return picture[0];
            case PixelFormat.I420:
                return [.. picture[0], .. chroma[1], .. chroma[2]];
            case PixelFormat.Nv12 or PixelFormat.P010:
                return [.. picture[0], .. Enumerable.Range(0, chroma[1].Length * 2).Select(i => chroma[1 + (i % 2)][i / 2])];
            case PixelFormat.Rgb24:
                return [.. Enumerable.Range(0, count * 3).Select(i => picture[i % 3][i / 3])];
            case PixelFormat.Bgr24:
                return [.. Enumerable.Range(0, count * 3).Select(i => picture[2 - (i % 3)][i / 3])];
            case PixelFormat.Rgba:
                return [.. Enumerable.Range(0, count * 4).Select(i => i % 4 == 3 ? 255 : picture[i % 4][i / 4])];
            case PixelFormat.Bgra:
                return [.. Enumerable.Range(0, count * 4).Select(i => i % 4 == 3 ? 255 : picture[2 - (i % 4)][i / 4])];
        }

        bool isReversed = format is PixelFormat.Bgrp or PixelFormat.BgrpF16 or PixelFormat.BgrpF32;
        return
        [
            .. Enumerable.Range(0, count * 3).Select(i =>
            {
                int channel = i / count;
                double value = picture[isReversed ? 2 - channel : channel][i % count];
                return PixelFormats.IsFloat(format) ? ((value * tensor.Scale) - tensor.Mean[channel]) / tensor.Std[channel] : value;
            }),
        ];
    }

    /// <summary>Whether a sample of the result shows the picture; else it is border. The index is that of <see cref="Scale"/>.</summary>
    public bool[] Shown()
    {
        // A picture of ones in a result of noughts.
        List<bool> shown = [];
        for (int plane = 0; plane < PixelFormats.PlaneCount(format); plane++)
        {
            bool isHalved = plane > 0;
            int rows = PixelFormats.Rows(format, plane, height), columns = Half(width, isHalved);
            int each = PixelFormats.RowBytes(format, plane, width) / PixelFormats.SampleBytes(format) / columns;
            for (int row = 0; row < rows; row++)
            {
                for (int i = 0; i < columns * each; i++)
                {
                    int x = i / each * (isHalved ? 2 : 1), y = (PixelFormats.IsTensor(format) ? row % height : row) * (isHalved ? 2 : 1);
                    shown.Add(x >= _part.TargetX && x < _part.TargetX + _part.TargetWidth && y >= _part.TargetY && y < _part.TargetY + _part.TargetHeight);
                }
            }
        }

        return [.. shown];
    }

    private static bool IsRgb(PixelFormat format) =>
        format is PixelFormat.Rgb24 or PixelFormat.Bgr24 or PixelFormat.Rgba or PixelFormat.Bgra || PixelFormats.IsTensor(format);

    private static int Half(int value, bool isHalved) => isHalved ? (value + 1) / 2 : value;

    private static double Cubic(double x)
    {
        const double a = -0.6;
        x = Math.Abs(x);
        return x <= 1 ? ((a + 2) * Math.Pow(x, 3)) - ((a + 3) * Math.Pow(x, 2)) + 1
            : x < 2 ? (a * Math.Pow(x, 3)) - (5 * a * Math.Pow(x, 2)) + (8 * a * x) - (4 * a)
            : 0;
    }

    /// <summary>Where the first chroma sample lies, from the upper left corner of the picture, in samples of luma.</summary>
    private (double X, double Y) ChromaPlace() => source.ChromaLocation switch
    {
        0 or 1 => (0.5, 1),
        2 => (1, 1),
        3 => (0.5, 0.5),
        4 => (1, 0.5),
        5 => (0.5, 1.5),
        6 => (1, 1.5),
        _ => throw new InvalidOperationException("no such place"),
    };

    private (double Red, double Green, double Blue) Luma(byte matrix, int rows) => matrix switch
    {
        1 => (0.2126, 0.7152, 0.0722),
        4 => (0.30, 0.59, 0.11),
        5 or 6 => (0.299, 0.587, 0.114),
        7 => (0.212, 0.701, 0.087),
        9 or 10 => (0.2627, 0.6780, 0.0593),
        _ => Luma((byte)(rows >= 720 ? 1 : 6), rows),
    };

    /// <summary>One channel of the result, black around the picture: Y, U, V or R, G, B, each limited to what a sample can be.</summary>
    private double[] Result(int channel, bool isHalved)
    {
        int columns = Half(width, isHalved), rows = Half(height, isHalved);
        int left = Half(_part.TargetX, isHalved), top = Half(_part.TargetY, isHalved);
        int shownColumns = Half(_part.TargetWidth, isHalved), shownRows = Half(_part.TargetHeight, isHalved);
        bool needsAll = FromRgb || ToRgb;
        double[][] sampled = [.. Enumerable.Range(0, 3).Select(i => needsAll || i == channel ? Resample(i, isHalved) : [])];
        double most = format == PixelFormat.P010 ? 1023 : 255;
        double black = ToRgb ? 0 : channel > 0 ? (most + 1) / 2 : BecomesFull ? 0 : format == PixelFormat.P010 ? 64 : 16;
        double[] result = new double[columns * rows];
        Array.Fill(result, black);
        for (int y = 0; y < shownRows; y++)
        {
            for (int x = 0; x < shownColumns; x++)
            {
                int i = (y * shownColumns) + x;
                double value = Convert(sampled[0].Length > 0 ? sampled[0][i] : 0, sampled[1].Length > 0 ? sampled[1][i] : double.NaN, sampled[2].Length > 0 ? sampled[2][i] : double.NaN, channel);
                result[((y + top) * columns) + x + left] = Math.Clamp(value, 0, most);
            }
        }

        return result;
    }

    /// <summary>Samples of the picture to one of the result.</summary>
    private double Convert(double first, double second, double third, int channel)
    {
        int depth = source.Format == PixelFormat.P010 ? 10 : 8, becomes = format == PixelFormat.P010 ? 10 : 8;
        if (FromRgb)
        {
            (double r, double g, double b) = (first / 255, second / 255, third / 255);
            if (ToRgb)
            {
                return 255 * (channel == 0 ? r : channel == 1 ? g : b);
            }

            (double kr, double kg, double kb) = Luma(0, height);
            double luma = (kr * r) + (kg * g) + (kb * b);
            return channel switch
            {
                0 => FromLuma(luma, becomes, BecomesFull),
                1 => FromChroma((b - luma) / (2 * (1 - kb)), becomes, BecomesFull),
                _ => FromChroma((r - luma) / (2 * (1 - kr)), becomes, BecomesFull),
            };
        }

        double y = IsFull ? first / (depth == 10 ? 1023 : 255) : ((first / (depth == 10 ? 4 : 1)) - 16) / 219;
        double u = double.IsNaN(second) ? 0 : ToChroma(second), v = double.IsNaN(third) ? 0 : ToChroma(third);
        if (!ToRgb)
        {
            return channel switch { 0 => FromLuma(y, becomes, BecomesFull), 1 => FromChroma(u, becomes, BecomesFull), _ => FromChroma(v, becomes, BecomesFull) };
        }

        (double red, double green, double blue) = Luma(source.ColourMatrix, source.Height);
        double resultRed = y + (2 * (1 - red) * v), resultBlue = y + (2 * (1 - blue) * u);
        return 255 * (channel == 0 ? resultRed : channel == 2 ? resultBlue : (y - (red * resultRed) - (blue * resultBlue)) / green);

        double ToChroma(double sample) => IsFull
            ? (sample - (depth == 10 ? 512 : 128)) / (depth == 10 ? 1023 : 255)
            : ((sample / (depth == 10 ? 4 : 1)) - 128) / 224;
    }

    private static double FromLuma(double value, int depth, bool isFull) => isFull ? value * ((1 << depth) - 1) : ((value * 219) + 16) * (1 << (depth - 8));

    private static double FromChroma(double value, int depth, bool isFull) =>
        isFull ? (value * ((1 << depth) - 1)) + (1 << (depth - 1)) : ((value * 224) + 128) * (1 << (depth - 8));

    /// <summary>A channel of the picture at the places of the result's samples; empty if the picture has none such.</summary>
    private double[] Resample(int channel, bool isHalved)
    {
        if (_resampled.TryGetValue((channel, isHalved), out double[]? known))
        {
            return known;
        }

        bool isChroma = PixelFormats.IsSubsampled(source.Format) && channel > 0;
        if (source.Format == PixelFormat.Gray8 && channel > 0)
        {
            return [];
        }

        (double chromaX, double chromaY) = ChromaPlace();
        bool keepsPlace = PixelFormats.IsSubsampled(source.Format);
        (int columns, int rows) = (Half(_part.TargetWidth, isHalved), Half(_part.TargetHeight, isHalved));
        double[][] across = Weights(
            _part.SourceX, _part.SourceWidth, _part.TargetWidth, isChroma, isChroma ? chromaX : 0.5, columns, isHalved, !isHalved ? 0.5 : keepsPlace ? chromaX : 0.5, out int[] lefts);
        double[][] down = Weights(
            _part.SourceY, _part.SourceHeight, _part.TargetHeight, isChroma, isChroma ? chromaY : 0.5, rows, isHalved, !isHalved ? 0.5 : keepsPlace ? chromaY : 1, out int[] tops);
        int firstRow = tops.Min(), lastRow = tops.Zip(down, (top, weights) => top + weights.Length).Max();
        double[] lines = new double[(lastRow - firstRow) * columns];
        for (int row = firstRow; row < lastRow; row++)
        {
            for (int x = 0; x < columns; x++)
            {
                double sum = 0;
                for (int k = 0; k < across[x].Length; k++)
                {
                    sum += across[x][k] * Sample(channel, Clamp(lefts[x] + k, _part.SourceX, _part.SourceWidth, isChroma), Clamp(row, _part.SourceY, _part.SourceHeight, isChroma));
                }

                lines[((row - firstRow) * columns) + x] = sum;
            }
        }

        double[] result = new double[columns * rows];
        for (int y = 0; y < rows; y++)
        {
            for (int x = 0; x < columns; x++)
            {
                double sum = 0;
                for (int k = 0; k < down[y].Length; k++)
                {
                    sum += down[y][k] * lines[((tops[y] + k - firstRow) * columns) + x];
                }

                result[(y * columns) + x] = sum;
            }
        }

        return _resampled[(channel, isHalved)] = result;
    }

    private static int Clamp(int sample, int first, int length, bool isChroma) =>
        Math.Clamp(sample, isChroma ? first / 2 : first, (isChroma ? (first / 2) + Half(length, true) : first + length) - 1);

    /// <summary>The weights of one direction: of result sample i they begin with sample starts[i] of the plane, which may lie outside.</summary>
    private static double[][] Weights(int first, int length, int shown, bool isChroma, double place, int count, bool isHalved, double targetPlace, out int[] starts)
    {
        double[][] result = new double[count][];
        starts = new int[count];
        double step = isChroma ? 2 : 1;
        double ratio = (isHalved ? 2.0 : 1.0) * length / shown / step;
        double stretch = Math.Max(1, ratio);
        for (int i = 0; i < count; i++)
        {
            double luma = first + ((targetPlace + (i * (isHalved ? 2 : 1))) * length / shown);
            double centre = (luma - place) / step;
            int from = (int)Math.Ceiling(centre - (2 * stretch)), to = (int)Math.Floor(centre + (2 * stretch));
            double[] weights = [.. Enumerable.Range(from, to - from + 1).Select(sample => Cubic((sample - centre) / stretch))];
            double total = weights.Sum();
            result[i] = [.. weights.Select(weight => weight / total)];
            starts[i] = from;
        }

        return result;
    }

    /// <summary>A sample of the picture; of P010 its ten bits.</summary>
    private double Sample(int channel, int x, int y)
    {
        switch (source.Format)
        {
            case PixelFormat.Rgb24:
                return samples[(((y * source.Width) + x) * 3) + channel];
            case PixelFormat.Bgr24:
                return samples[(((y * source.Width) + x) * 3) + 2 - channel];
            case PixelFormat.Rgba:
                return samples[(((y * source.Width) + x) * 4) + channel];
            case PixelFormat.Bgra:
                return samples[(((y * source.Width) + x) * 4) + 2 - channel];
        }

        int luma = source.Width * source.Height, columns = (source.Width + 1) / 2, rows = (source.Height + 1) / 2;
        int index = channel == 0 ? (y * source.Width) + x
            : source.Format == PixelFormat.I420 ? luma + ((channel - 1) * columns * rows) + (y * columns) + x
            : luma + (((y * columns) + x) * 2) + channel - 1;
        return source.Format == PixelFormat.P010 ? (samples[2 * index] | (samples[(2 * index) + 1] << 8)) >> 6 : samples[index];
    }
}
