using CuFrames.Conformance.Suite;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>All checks of a subscriber, in the order in which they run.</summary>
internal static class SubscriberSuite
{
    public static IReadOnlyList<Check<SubscriberContext>> Checks { get; } =
        [.. ReadingChecks.All(), .. MessageChecks.All(), .. MemoryChecks.All()];
}
