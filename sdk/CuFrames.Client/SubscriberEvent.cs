using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>Something that happened to a subscriber.</summary>
/// <param name="Kind">What.</param>
/// <param name="Code">Why; <see cref="ErrorCode.None"/> when nothing went wrong.</param>
/// <param name="Text">A sentence for people.</param>
/// <param name="Epoch">The publisher's run that it is about.</param>
public readonly record struct SubscriberEvent(SubscriberEventKind Kind, ErrorCode Code, string Text, ulong Epoch);
