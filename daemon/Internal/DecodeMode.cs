namespace CuFrames.Daemon.Internal;

/// <summary>What decodes a camera's video.</summary>
internal enum DecodeMode
{
    /// <summary>NVDEC where it can and the ring is in device memory, else software.</summary>
    Auto,

    /// <summary>NVDEC or nothing.</summary>
    Nvdec,

    /// <summary>The CPU.</summary>
    Software,
}
