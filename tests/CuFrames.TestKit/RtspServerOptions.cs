namespace CuFrames.TestKit;

/// <summary>What an <see cref="RtspServer"/> serves and how.</summary>
public sealed record RtspServerOptions
{
    /// <summary>An MP4 or MOV file with one video stream.</summary>
    public required string File { get; init; }

    /// <summary>Whether the stream is H.265 rather than H.264.</summary>
    public bool IsH265 { get; init; }

    /// <summary>Serve the file's sound too, which is of this codec: <c>aac</c>, or <c>pcma</c> in a MOV file. Null: no sound.</summary>
    public string? Audio { get; init; }

    /// <summary>Port; 0: a free one, outside of those that the kernel gives to connections.</summary>
    public int Port { get; init; }

    /// <summary>Play the file repeatedly for that long; zero: once.</summary>
    public TimeSpan Repeat { get; init; }

    /// <summary>Asks for this login.</summary>
    public string? User { get; init; }

    /// <summary>Its password.</summary>
    public string Password { get; init; } = "";

    /// <summary>Digest instead of basic authentication.</summary>
    public bool Digest { get; init; }
}
