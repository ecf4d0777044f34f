namespace CuFrames.Frigate.Tests;

/// <summary>How a camera reaches Frigate, which decides what its watchdog may have to do.</summary>
internal enum Way
{
    /// <summary>The demuxers without a time-out: ffmpeg waits.</summary>
    Patched,

    /// <summary>The demuxers with Frigate's own input arguments, and their time-out of 10 s.</summary>
    PatchedWithTimeout,

    /// <summary>Taps: the end of the daemon is the end of the stream.</summary>
    Taps,
}
