namespace CuFrames.Protocol;

/// <summary>How packets are coded (docs/protocol.md 14.7). A codec that is not in this table has its name only.</summary>
public enum Codec : uint
{
    /// <summary>None of the table: the parameter set's name says which.</summary>
    Other = 0,

    /// <summary>H.264, ITU-T H.264.</summary>
    H264 = 1,

    /// <summary>H.265, HEVC.</summary>
    Hevc = 2,

    /// <summary>AV1.</summary>
    Av1 = 3,

    /// <summary>VP8.</summary>
    Vp8 = 4,

    /// <summary>VP9.</summary>
    Vp9 = 5,

    /// <summary>Motion JPEG.</summary>
    Mjpeg = 6,

    /// <summary>MPEG-4 part 2 video.</summary>
    Mpeg4 = 7,

    /// <summary>MPEG-2 video.</summary>
    Mpeg2 = 8,

    /// <summary>AAC.</summary>
    Aac = 256,

    /// <summary>Opus.</summary>
    Opus = 257,

    /// <summary>G.711 A-law.</summary>
    PcmAlaw = 258,

    /// <summary>G.711 mu-law.</summary>
    PcmMulaw = 259,

    /// <summary>16-bit PCM, big-endian.</summary>
    PcmS16be = 260,

    /// <summary>16-bit PCM, little-endian.</summary>
    PcmS16le = 261,

    /// <summary>G.722.</summary>
    G722 = 262,

    /// <summary>G.726, little-endian.</summary>
    G726 = 263,

    /// <summary>MPEG audio layer 3.</summary>
    Mp3 = 264,

    /// <summary>MPEG audio layer 2.</summary>
    Mp2 = 265,

    /// <summary>AC-3.</summary>
    Ac3 = 266,

    /// <summary>FLAC.</summary>
    Flac = 267,

    /// <summary>Vorbis.</summary>
    Vorbis = 268,
}
