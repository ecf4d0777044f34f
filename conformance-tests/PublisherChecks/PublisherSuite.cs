using CuFrames.Conformance.Suite;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>All checks of a publisher, in the order in which they run.</summary>
internal static class PublisherSuite
{
    public static IReadOnlyList<Check<PublisherContext>> Checks { get; } =
    [
        // First, while the change has not come yet.
        .. FormatChangeChecks.All(),
        .. HandshakeChecks.All().Where(check => check.Id is not ("3.1-half-open" or "3.5-too-many" or "3.7-probes-not-counted")),
        .. MessageChecks.All(),
        .. StateChecks.All(),

        // Behind the subscriber that is silent in the background, which would be counted as it comes or goes.
        .. HandshakeChecks.All().Where(check => check.Id is "3.7-probes-not-counted"),
        .. MemoryChecks.All(),
        .. FrameChecks.All(),
        .. WakeChecks.All(),
        .. RestChecks.All(),
        .. LeaseChecks.All().Where(check => check.Id is not ("6.9-lease-timeout" or "6.8-lossless")),

        // Last, what slows the publisher down for everybody.
        .. HandshakeChecks.All().Where(check => check.Id is "3.1-half-open" or "3.5-too-many"),
        .. LeaseChecks.All().Where(check => check.Id is "6.9-lease-timeout" or "6.8-lossless"),
    ];
}
