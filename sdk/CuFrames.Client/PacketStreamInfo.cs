using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>The packets of a stream of this machine, as they were when their publisher was asked.</summary>
public sealed record PacketStreamInfo
{
    /// <summary>The key.</summary>
    public required string Key { get; init; }

    /// <summary>The description; null when the publisher did not give it: then <see cref="Error"/> says why.</summary>
    public PacketStreamDescription? Description { get; init; }

    /// <summary>The tracks, by number.</summary>
    public IReadOnlyList<TrackDescription> Tracks { get; init; } = [];

    /// <summary>The publisher's run; 0 when not known.</summary>
    public ulong Epoch { get; init; }

    /// <summary>The publisher's program.</summary>
    public string Program { get; init; } = "";

    /// <summary>Where packets come from, without secrets.</summary>
    public string Source { get; init; } = "";

    /// <summary>Why the stream is in its state.</summary>
    public string StateText { get; init; } = "";

    /// <summary>Why there is no description; <see cref="ErrorCode.None"/> when there is one.</summary>
    public ErrorCode ErrorCode { get; init; }

    /// <summary>See <see cref="ErrorCode"/>.</summary>
    public string Error { get; init; } = "";
}
