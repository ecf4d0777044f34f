using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>A picture in device memory, with what is known of its colours. The memory belongs to whoever made the value.</summary>
public readonly record struct CudaPicture
{
    /// <summary>Its format; no tensor.</summary>
    public PixelFormat Format { get; init; }

    /// <summary>Columns, 1 to 16,384.</summary>
    public int Width { get; init; }

    /// <summary>Rows, 1 to 16,384.</summary>
    public int Height { get; init; }

    /// <summary>The first plane.</summary>
    public CudaPlane Plane0 { get; init; }

    /// <summary>The second plane; of no meaning for formats that have one.</summary>
    public CudaPlane Plane1 { get; init; }

    /// <summary>The third plane; of no meaning for formats that have fewer.</summary>
    public CudaPlane Plane2 { get; init; }

    /// <summary>ITU-T H.273 MatrixCoefficients of YUV; one that is not known is taken by the rows.</summary>
    public byte ColourMatrix { get; init; }

    /// <summary>Range of the samples of YUV and grey; unknown is limited.</summary>
    public ColourRange Range { get; init; }

    /// <summary>Where chroma lies: ITU-T H.273 chroma sample location type plus 1, as <see cref="FrameMetadata.ChromaLocation"/>; 0 is taken as left.</summary>
    public byte ChromaLocation { get; init; }
}
