using System.Runtime.InteropServices;
using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>
/// How the sample values of a picture become those of its result: each value of the result is a sum of the picture's three, weighted, and a constant.
/// Values are numbers as they lie in memory; those of P010 are 16-bit words in the picture and 10-bit numbers in the result. Immutable.
/// </summary>
internal sealed class ColourConversion
{
    private readonly Affine[] _rows;

    private ColourConversion(Affine[] rows) => _rows = rows;

    /// <summary>The sums of the result's first, second and third value: Y, U and V, or R, G and B.</summary>
    /// <param name="channel">Its number.</param>
    internal Affine this[int channel] => _rows[channel];

    /// <summary>Finds it.</summary>
    /// <param name="source">Format of the picture.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="matrix">Its H.273 MatrixCoefficients; one that is not known is taken by the rows.</param>
    /// <param name="range">Its range.</param>
    /// <param name="target">Format of the result.</param>
    /// <param name="targetRows">The result's rows, by which RGB becomes YUV.</param>
    internal static ColourConversion Of(PixelFormat source, int rows, byte matrix, ColourRange range, PixelFormat target, int targetRows)
    {
        bool fromRgb = ScaledColours.IsRgb(source), toRgb = ScaledColours.IsRgb(target);
        bool isFull = fromRgb || range == ColourRange.Full;
        bool becomesFull = IsFullAfterwards(fromRgb, isFull, target);
        (double red, double blue) = Weights(fromRgb ? ScaledColours.MatrixOf(targetRows) : matrix) ?? Weights(ScaledColours.MatrixOf(rows))!.Value;
        double green = 1 - red - blue;

        // From samples to numbers between 0 and 1 (chroma: -0.5 to 0.5) and back.
        double word = source == PixelFormat.P010 ? 64 : 1;
        Scale luma = fromRgb ? Scale.Of(8, true, false) : Scale.Of(source == PixelFormat.P010 ? 10 : 8, isFull, false);
        Scale chroma = Scale.Of(source == PixelFormat.P010 ? 10 : 8, isFull, true);
        Affine[] values =
        [
            new Affine(1 / (luma.Factor * word), 0, 0, -luma.Zero / luma.Factor),
            new Affine(0, 1 / ((fromRgb ? luma : chroma).Factor * word), 0, fromRgb ? 0 : -chroma.Zero / chroma.Factor),
            new Affine(0, 0, 1 / ((fromRgb ? luma : chroma).Factor * word), fromRgb ? 0 : -chroma.Zero / chroma.Factor),
        ];
        if (source == PixelFormat.Gray8)
        {
            values[1] = values[2] = default;
        }

        if (toRgb && !fromRgb)
        {
            Affine r = values[0] + (2 * (1 - red) * values[2]);
            Affine b = values[0] + (2 * (1 - blue) * values[1]);
            values = [r, (1 / green * values[0]) + (-red / green * r) + (-blue / green * b), b];
        }
        else if (fromRgb && !toRgb)
        {
            Affine y = (red * values[0]) + (green * values[1]) + (blue * values[2]);
            values = [y, 1 / (2 * (1 - blue)) * (values[2] + (-1 * y)), 1 / (2 * (1 - red)) * (values[0] + (-1 * y))];
        }

        int depth = target == PixelFormat.P010 ? 10 : 8;
        for (int channel = 0; channel < values.Length; channel++)
        {
            Scale scale = Scale.Of(depth, toRgb || becomesFull, !toRgb && channel > 0);
            values[channel] = (scale.Factor * values[channel]) + new Affine(0, 0, 0, scale.Zero);
        }

        return new ColourConversion(values);
    }

    /// <summary>The value of black in the result: of a channel of RGB, of luma or of chroma.</summary>
    /// <param name="source">Format of the picture.</param>
    /// <param name="range">Its range.</param>
    /// <param name="target">Format of the result.</param>
    /// <param name="channel">Number of the value.</param>
    internal static double BlackOf(PixelFormat source, ColourRange range, PixelFormat target, int channel)
    {
        bool fromRgb = ScaledColours.IsRgb(source);
        return ScaledColours.IsRgb(target)
            ? 0
            : Scale.Of(target == PixelFormat.P010 ? 10 : 8, IsFullAfterwards(fromRgb, fromRgb || range == ColourRange.Full, target), channel > 0).Zero;
    }

    private static bool IsFullAfterwards(bool fromRgb, bool isFull, PixelFormat target) => fromRgb ? target == PixelFormat.Gray8 : isFull;

    /// <summary>KR and KB of H.273 MatrixCoefficients; null of those that are not sums of this kind or not known.</summary>
    private static (double Red, double Blue)? Weights(byte matrix) => matrix switch
    {
        1 => (0.2126, 0.0722),
        4 => (0.30, 0.11),
        5 or 6 => (0.299, 0.114),
        7 => (0.212, 0.087),
        9 or 10 => (0.2627, 0.0593),
        _ => null,
    };

    /// <summary>first × value 0 + second × value 1 + third × value 2 + constant.</summary>
    [StructLayout(LayoutKind.Auto)]
    internal readonly record struct Affine(double First, double Second, double Third, double Constant)
    {
        public static Affine operator +(Affine a, Affine b) => new(a.First + b.First, a.Second + b.Second, a.Third + b.Third, a.Constant + b.Constant);

        public static Affine operator *(double factor, Affine a) => new(factor * a.First, factor * a.Second, factor * a.Third, factor * a.Constant);
    }

    /// <summary>Sample = factor × number + zero (ITU-T H.273, 8.3, equations 20 to 31).</summary>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Scale(double Factor, double Zero)
    {
        internal static Scale Of(int depth, bool isFull, bool isChroma)
        {
            double step = 1 << (depth - 8), whole = (1 << depth) - 1;
            return isChroma
                ? new Scale(isFull ? whole : 224 * step, 128 * step)
                : new Scale(isFull ? whole : 219 * step, isFull ? 0 : 16 * step);
        }
    }
}
