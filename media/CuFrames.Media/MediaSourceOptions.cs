using CuFrames.Interop;

namespace CuFrames.Media;

/// <summary>What to read and how. Immutable.</summary>
public sealed record MediaSourceOptions
{
    /// <summary>Where the pictures come from: an RTSP, HTTP, HLS, MPEG-TS or any other URL that libav knows, or a file's path.</summary>
    public required RedactedUrl Url { get; init; }

    /// <summary>How an RTSP source sends. Default: <see cref="MediaTransport.Tcp"/>.</summary>
    public MediaTransport Transport { get; init; } = MediaTransport.Tcp;

    /// <summary>Time for connecting and finding the first picture. Default: 10 s.</summary>
    public TimeSpan OpenTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time without a video packet after which the source counts as lost. Default: 5 s.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Threads of the decoder, 1 to 64; 0: one per core. Default: 1, which is enough for several 1080p cameras per core.</summary>
    /// <remarks>More threads decode one stream faster and delay it by a frame each, unless <see cref="LowDelay"/> is set. Of NVDEC two are
    /// of use, more count as two: a picture is decoded while the one before is copied.</remarks>
    public int DecodeThreads { get; init; } = 1;

    /// <summary>Decodes with slice threads only, and without reordering delay where the stream has no B pictures. Default: false.</summary>
    public bool LowDelay { get; init; }

    /// <summary>What decodes. Default: <see cref="DecodeMode.Auto"/>, which is software without <see cref="Cuda"/>.</summary>
    public DecodeMode Decode { get; init; }

    /// <summary>Whether key frames alone are decoded, each for itself. For overviews that need a picture now and then. Default: false.</summary>
    public bool KeyframesOnly { get; init; }

    /// <summary>
    /// The context that NVDEC decodes in and that frames are copied into; null, the default: frames go to main memory, decoded in software. It
    /// stays the caller's and must outlive the source; many sources share one, because each context costs hundreds of megabytes.
    /// </summary>
    public CudaContext? Cuda { get; init; }

    /// <summary>Limit of NVDEC sessions that this source counts to; null, the default: none but the driver's.</summary>
    public DecoderAdmission? Admission { get; init; }

    /// <summary>
    /// Whether frames are held back until their presentation time. Null, the default: yes for sources that can be read faster
    /// than they play (files, HLS), no for those that set the pace themselves (RTSP, RTP, UDP).
    /// </summary>
    public bool? Paced { get; init; }

    /// <summary>Whether a source that ends is read again from its beginning, with pts that go on. Default: false.</summary>
    public bool Loop { get; init; }
}
