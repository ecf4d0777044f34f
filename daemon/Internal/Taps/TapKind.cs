namespace CuFrames.Daemon.Internal.Taps;

/// <summary>What a tap gives.</summary>
internal enum TapKind
{
    /// <summary>The packets as MPEG-TS.</summary>
    Ts,

    /// <summary>The packets as Matroska.</summary>
    Mkv,

    /// <summary>The samples of every frame, without any header.</summary>
    RawVideo,

    /// <summary>The frames as YUV4MPEG2.</summary>
    Y4m,

    /// <summary>Pictures, one after the other.</summary>
    Mjpeg,

    /// <summary>One picture.</summary>
    Jpeg,
}
