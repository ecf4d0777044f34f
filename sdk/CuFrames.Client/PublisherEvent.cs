using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>Something that a publisher did and its operator may want to see.</summary>
/// <param name="Kind">What.</param>
/// <param name="SubscriberId">Which subscriber; 0 when it is about none.</param>
/// <param name="Code">Why; <see cref="ErrorCode.None"/> when nothing went wrong.</param>
/// <param name="Text">A sentence for people.</param>
public readonly record struct PublisherEvent(PublisherEventKind Kind, ulong SubscriberId, ErrorCode Code, string Text)
{
    /// <summary>The subscriber's user; null when it is about none.</summary>
    public uint? UserId { get; init; }

    /// <summary>The subscriber's process; 0 when it is about none, or its process cannot be seen from here.</summary>
    public int ProcessId { get; init; }

    /// <summary>What the subscriber calls itself; null when it is about none or did not say.</summary>
    public string? Program { get; init; }
}
