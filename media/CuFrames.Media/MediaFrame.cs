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
    /// time line. The discontinuity flag is set only where the decoder slept before the frame, or left pictures out.
    /// </summary>
    public FrameMetadata Metadata { get; init; }

    /// <summary>
    /// Whether the samples were converted because the ring does not carry <see cref="SourceFormat"/>. The 10-bit formats are
    /// only laid out differently (10 bits from the lower to the upper end of a word), which does not count.
    /// </summary>
    public bool IsConverted { get; init; }

    /// <summary>Whether the picture lies in device memory: NVDEC decoded it.</summary>
    public bool IsInDeviceMemory { get; init; }

    /// <summary>Whether the decoder has just woken up: this is the newest key frame, which may be one of before the frame that was read last.</summary>
    internal bool IsWaking { get; init; }

    /// <summary>libav's name of the format that the decoder gave.</summary>
    public string SourceFormat { get; init; }
}
