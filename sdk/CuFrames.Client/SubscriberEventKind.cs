namespace CuFrames.Client;

/// <summary>Kinds of <see cref="SubscriberEvent"/>.</summary>
public enum SubscriberEventKind
{
    /// <summary>Connected to the publisher, for the first time or again.</summary>
    Connected,

    /// <summary>The publisher lost its source and tries to get it back.</summary>
    SourceLost,

    /// <summary>The source is back.</summary>
    SourceBack,

    /// <summary>The publisher took the leases away; frames held are invalid.</summary>
    Evicted,

    /// <summary>The publisher is gone; frames held stay readable.</summary>
    Disconnected,
}
