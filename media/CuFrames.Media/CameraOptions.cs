namespace CuFrames.Media;

/// <summary>What a <see cref="CameraPump"/> reads and how it deals with loss. Immutable. Exactly one of <see cref="Source"/> and <see cref="Pattern"/> is set.</summary>
public sealed record CameraOptions
{
    /// <summary>A camera, file or other URL.</summary>
    public MediaSourceOptions? Source { get; init; }

    /// <summary>The built-in test pattern.</summary>
    public TestPatternOptions? Pattern { get; init; }

    /// <summary>
    /// Whether the source is decoded only while somebody reads its frames or a rendition. Its packets, which have to be published, flow all the time, and
    /// who comes gets the picture of the newest key frame in their ring at once. Default: false.
    /// </summary>
    public bool OnDemand { get; init; }

    /// <summary>Time without a reader after which the decoder is closed; <see cref="CameraPump.IdleDelay"/> but in tests.</summary>
    internal TimeSpan IdleAfter { get; init; } = CameraPump.IdleDelay;

    /// <summary>Whether a lost source is tried again. Default: true. Without it the pump fails at the first error.</summary>
    public bool Retry { get; init; } = true;

    /// <summary>Upper bound of the first delay before a new attempt; it doubles with each attempt. Default: 0.5 s.</summary>
    public TimeSpan InitialRetryDelay { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>Upper bound of the delay after a login that was refused; other delays grow to 5 s at most, or to this where it is less. Default: 30 s.</summary>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Time that a source must have been live for the delays to begin anew. Default: 10 s.</summary>
    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(10);
}
