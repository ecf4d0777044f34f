namespace CuFrames.Protocol;

/// <summary>Names of codecs as libavcodec has them (docs/protocol.md 14.7).</summary>
public static class Codecs
{
    private static readonly (Codec Codec, string Name)[] Table =
    [
        (Codec.H264, "h264"),
        (Codec.Hevc, "hevc"),
        (Codec.Av1, "av1"),
        (Codec.Vp8, "vp8"),
        (Codec.Vp9, "vp9"),
        (Codec.Mjpeg, "mjpeg"),
        (Codec.Mpeg4, "mpeg4"),
        (Codec.Mpeg2, "mpeg2video"),
        (Codec.Aac, "aac"),
        (Codec.Opus, "opus"),
        (Codec.PcmAlaw, "pcm_alaw"),
        (Codec.PcmMulaw, "pcm_mulaw"),
        (Codec.PcmS16be, "pcm_s16be"),
        (Codec.PcmS16le, "pcm_s16le"),
        (Codec.G722, "adpcm_g722"),
        (Codec.G726, "adpcm_g726le"),
        (Codec.Mp3, "mp3"),
        (Codec.Mp2, "mp2"),
        (Codec.Ac3, "ac3"),
        (Codec.Flac, "flac"),
        (Codec.Vorbis, "vorbis"),
    ];

    /// <summary>The codec that a name of libavcodec stands for.</summary>
    /// <param name="name">The name, such as <c>h264</c>.</param>
    /// <returns><see cref="Codec.Other"/> when the table has none of this name.</returns>
    public static Codec FromName(string name)
    {
        foreach ((Codec codec, string known) in Table)
        {
            if (known == name)
            {
                return codec;
            }
        }

        return Codec.Other;
    }

    /// <summary>libavcodec's name of a codec.</summary>
    /// <param name="codec">The codec.</param>
    /// <returns>Empty for <see cref="Codec.Other"/> and for what the table does not have.</returns>
    public static string NameOf(Codec codec)
    {
        foreach ((Codec known, string name) in Table)
        {
            if (known == codec)
            {
                return name;
            }
        }

        return "";
    }
}
