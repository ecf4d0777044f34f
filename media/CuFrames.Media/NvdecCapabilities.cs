namespace CuFrames.Media;

/// <summary>What the NVDEC of one GPU does of one codec, bit depth and chroma format. Sizes are those of the coded picture, in pixels.</summary>
/// <param name="IsSupported">Whether it decodes it; else the other values are 0.</param>
/// <param name="Engines">NVDEC units that decode it, which share the sessions.</param>
/// <param name="MinWidth">Fewest columns.</param>
/// <param name="MinHeight">Fewest rows.</param>
/// <param name="MaxWidth">Most columns.</param>
/// <param name="MaxHeight">Most rows.</param>
/// <param name="MaxMacroblocks">Most macroblocks: columns times rows / 256.</param>
public sealed record NvdecCapabilities(
    bool IsSupported,
    int Engines,
    int MinWidth,
    int MinHeight,
    int MaxWidth,
    int MaxHeight,
    int MaxMacroblocks);
