namespace CuFrames.Media;

/// <summary>What <see cref="PacketMuxer"/> writes.</summary>
public enum PacketContainer
{
    /// <summary>Fragmented MP4: playable at any time as far as it is written. A fragment ends at each key frame, and after a second at the latest.</summary>
    Mp4 = 1,

    /// <summary>Matroska. A cluster ends after a second at the latest. Times are rounded to milliseconds: the container has no finer ones.</summary>
    Matroska = 2,

    /// <summary>MPEG transport stream. Its clock begins 1.4 s before the first packet's, which is the lead that decoders are given.</summary>
    MpegTs = 3,
}
