namespace CuFrames.Client;

/// <summary>Kinds of <see cref="PublisherEvent"/>.</summary>
public enum PublisherEventKind
{
    /// <summary>A subscriber was accepted.</summary>
    SubscriberJoined,

    /// <summary>A subscriber left or died; its leases are gone.</summary>
    SubscriberLeft,

    /// <summary>A subscriber was evicted.</summary>
    SubscriberEvicted,

    /// <summary>Somebody was refused.</summary>
    SubscriberRefused,

    /// <summary>The ring got more slots.</summary>
    RingGrown,

    /// <summary>The ring gave slots back.</summary>
    RingShrunk,

    /// <summary>The ring should have grown, and could not.</summary>
    GrowthFailed,

    /// <summary>An error of the publisher itself, which goes on.</summary>
    InternalError,
}
