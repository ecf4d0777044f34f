using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>Size, format and pace of the built-in test pattern. Immutable.</summary>
public sealed record TestPatternOptions
{
    /// <summary>Columns, 32 to 16384. Default: 1280.</summary>
    public int Width { get; init; } = 1280;

    /// <summary>Rows, 32 to 16384. Default: 720.</summary>
    public int Height { get; init; } = 720;

    /// <summary>Format of the frames. Default: NV12.</summary>
    public PixelFormat Format { get; init; } = PixelFormat.Nv12;

    /// <summary>Frames per <see cref="FrameRateDenominator"/> seconds, 1 to 1,000,000. Default: 25.</summary>
    public int FrameRateNumerator { get; init; } = 25;

    /// <summary>Seconds for <see cref="FrameRateNumerator"/> frames, 1 to 1,000,000. Default: 1.</summary>
    public int FrameRateDenominator { get; init; } = 1;

    /// <summary>Whether frames are held back until their presentation time. Default: true.</summary>
    public bool Paced { get; init; } = true;

    /// <summary>Number of frames until the pattern ends; null, the default: it does not end.</summary>
    public long? FrameCount { get; init; }
}
