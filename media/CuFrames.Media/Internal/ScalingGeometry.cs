using System.Runtime.InteropServices;

namespace CuFrames.Media.Internal;

/// <summary>What of a picture is shown where in its rendition. All numbers are samples of luma.</summary>
/// <param name="SourceX">First column of the part that is shown.</param>
/// <param name="SourceY">First row of the part that is shown.</param>
/// <param name="SourceWidth">Columns of the part that is shown.</param>
/// <param name="SourceHeight">Rows of the part that is shown.</param>
/// <param name="TargetX">Column of the result where it begins.</param>
/// <param name="TargetY">Row of the result where it begins.</param>
/// <param name="TargetWidth">Columns of the result that it takes; the others are black.</param>
/// <param name="TargetHeight">Rows of the result that it takes; the others are black.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ScalingGeometry(
    int SourceX, int SourceY, int SourceWidth, int SourceHeight, int TargetX, int TargetY, int TargetWidth, int TargetHeight)
{
    /// <summary>Finds it.</summary>
    /// <param name="fit">How shapes that differ are brought together.</param>
    /// <param name="sourceWidth">Columns of the picture.</param>
    /// <param name="sourceHeight">Rows of the picture.</param>
    /// <param name="cropX">A part of the picture begins at a multiple of this column.</param>
    /// <param name="cropY">A part of the picture begins at a multiple of this row.</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="height">Rows of the result.</param>
    /// <param name="isSubsampled">Whether the result halves chroma: borders begin and end between its samples.</param>
    internal static ScalingGeometry Of(
        PictureFit fit, int sourceWidth, int sourceHeight, int cropX, int cropY, int width, int height, bool isSubsampled)
    {
        ScalingGeometry whole = new(0, 0, sourceWidth, sourceHeight, 0, 0, width, height);

        // Positive: the picture is wider than the result.
        long shape = ((long)sourceWidth * height) - ((long)sourceHeight * width);
        if (fit == PictureFit.Stretch || shape == 0)
        {
            return whole;
        }

        bool isWide = shape > 0;
        int step = isSubsampled ? 2 : 1;
        if (fit == PictureFit.Letterbox)
        {
            return isWide
                ? whole with { TargetHeight = Part(sourceHeight, width, sourceWidth, height, step), TargetY = Middle(sourceHeight, width, sourceWidth, height, step) }
                : whole with { TargetWidth = Part(sourceWidth, height, sourceHeight, width, step), TargetX = Middle(sourceWidth, height, sourceHeight, width, step) };
        }

        return isWide
            ? whole with { SourceWidth = Part(width, sourceHeight, height, sourceWidth, cropX), SourceX = Middle(width, sourceHeight, height, sourceWidth, cropX) }
            : whole with { SourceHeight = Part(height, sourceWidth, width, sourceHeight, cropY), SourceY = Middle(height, sourceWidth, width, sourceHeight, cropY) };
    }

    /// <summary><c>side * numerator / denominator</c> to the nearest multiple of a step, at least one step, at most the whole.</summary>
    private static int Part(int side, int numerator, int denominator, int whole, int step)
    {
        long unit = (long)denominator * step;
        long part = (((long)side * numerator) + (unit / 2)) / unit * step;
        return (int)Math.Min(Math.Max(part, step), whole);
    }

    /// <summary>Where the part begins so that it is in the middle, to a multiple of the step.</summary>
    private static int Middle(int side, int numerator, int denominator, int whole, int step) =>
        (whole - Part(side, numerator, denominator, whole, step)) / 2 / step * step;
}
