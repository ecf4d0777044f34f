using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>What the frames of a stream look like.</summary>
/// <param name="PixelFormat">How samples lie in memory.</param>
/// <param name="Width">Visible columns, 1 to 16,384.</param>
/// <param name="Height">Visible rows, 1 to 16,384.</param>
public readonly record struct StreamFormat(PixelFormat PixelFormat, int Width, int Height)
{
    /// <summary>Frames per second as the source announces them, numerator; 0: not known.</summary>
    public uint FrameRateNumerator { get; init; }

    /// <summary>Frames per second, denominator.</summary>
    public uint FrameRateDenominator { get; init; }

    /// <summary>Matrix coefficients as in ITU-T H.273; 2: unspecified. New frames begin with this value.</summary>
    public byte ColourMatrix { get; init; } = 2;

    /// <summary>Range of the samples. New frames begin with this value.</summary>
    public ColourRange ColourRange { get; init; }

    /// <summary>Colour primaries as in ITU-T H.273; 2: unspecified. New frames begin with this value.</summary>
    public byte ColourPrimaries { get; init; } = 2;

    /// <summary>Transfer characteristics as in ITU-T H.273; 2: unspecified. New frames begin with this value.</summary>
    public byte ColourTransfer { get; init; } = 2;

    /// <inheritdoc/>
    public override string ToString() => $"{PixelFormats.Name(PixelFormat)} {Width}x{Height}";
}
