using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>What scaling makes of a picture's colours, on the host and on a GPU alike.</summary>
internal static class ScaledColours
{
    /// <summary>Rows from which on an unspecified matrix is BT.709; below it is BT.601.</summary>
    internal const int HighDefinitionRows = 720;

    private const byte Bt709 = 1;
    private const byte Bt601 = 6;

    /// <summary>Whether samples are red, green and blue.</summary>
    /// <param name="format">The format.</param>
    internal static bool IsRgb(PixelFormat format) =>
        format is PixelFormat.Rgb24 or PixelFormat.Bgr24 or PixelFormat.Rgba or PixelFormat.Bgra || PixelFormats.IsTensor(format);

    /// <summary>The matrix that stands for a picture of so many rows when nothing else is known: H.273 MatrixCoefficients.</summary>
    /// <param name="rows">The rows.</param>
    internal static byte MatrixOf(int rows) => rows >= HighDefinitionRows ? Bt709 : Bt601;

    /// <summary>Turns the colours of a picture's metadata into those of its result.</summary>
    /// <param name="source">Format of the picture.</param>
    /// <param name="target">Format of the result.</param>
    /// <param name="height">Rows of the result.</param>
    /// <param name="metadata">The picture's metadata.</param>
    internal static void Describe(PixelFormat source, PixelFormat target, int height, ref FrameMetadata metadata)
    {
        metadata.ChromaLocation = PixelFormats.IsSubsampled(target) && PixelFormats.IsSubsampled(source) ? metadata.ChromaLocation : (byte)0;
        if (IsRgb(source) == IsRgb(target))
        {
            return;
        }

        if (IsRgb(target))
        {
            (metadata.ColourMatrix, metadata.ColourRange) = (0, ColourRange.Full);
            return;
        }

        metadata.ColourMatrix = MatrixOf(height);
        metadata.ColourRange = target == PixelFormat.Gray8 ? ColourRange.Full : ColourRange.Limited;
    }
}
