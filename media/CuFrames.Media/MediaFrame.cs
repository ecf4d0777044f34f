using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>Describes the current frame of a source. The pixels stay with the source until the next read.</summary>
public readonly struct MediaFrame
{
    /// <summary>Visible columns, after crop.</summary>
    public int Width { get; init; }

    /// <summary>Visible rows, after crop.</summary>
    public int Height { get; init; }

    /// <summary>Format that <see cref="IPictureSource.CopyFrame"/> writes.</summary>
    public PixelFormat Format { get; init; }

    /// <summary>
    /// Times, flags and colour of the frame as the ring carries them. <see cref="FrameMetadata.Pts"/> is in the source's own
    /// time line; the discontinuity flag is not set here.
    /// </summary>
    public FrameMetadata Metadata { get; init; }

    /// <summary>
    /// Whether the samples were converted because the ring does not carry <see cref="SourceFormat"/>. The 10-bit formats are
    /// only laid out differently (10 bits from the lower to the upper end of a word), which does not count.
    /// </summary>
    public bool IsConverted { get; init; }

    /// <summary>Whether the picture lies in device memory: NVDEC decoded it.</summary>
    public bool IsInDeviceMemory { get; init; }

    /// <summary>libav's name of the format that the decoder gave.</summary>
    public string SourceFormat { get; init; }
}
