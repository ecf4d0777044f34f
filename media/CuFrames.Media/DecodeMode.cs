namespace CuFrames.Media;

/// <summary>What decodes a source's video.</summary>
public enum DecodeMode
{
    /// <summary>
    /// NVDEC if the pictures go to device memory and both libavcodec and the GPU can decode the video, else software. What was chosen and why
    /// stands in <see cref="MediaInfo.Decoder"/> and <see cref="MediaInfo.DecoderReason"/>. NVDEC that has no room is no reason for software:
    /// that is <see cref="MediaError.NotAdmitted"/>.
    /// </summary>
    Auto = 0,

    /// <summary>NVDEC or nothing.</summary>
    Nvdec = 1,

    /// <summary>The CPU.</summary>
    Software = 2,
}
