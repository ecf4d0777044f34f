using CuFrames.Conformance.Suite;

namespace CuFrames.Conformance.Tests;

/// <summary>The SDK's two sides pass every check.</summary>
public sealed class SdkTests
{
    [Fact]
    public async Task The_publisher_passes()
    {
        // The change waits long enough for the check to see the format before it: it counts from the first subscriber, which may be another check's.
        IReadOnlyList<CheckResult> results = await SuiteRun.Publisher(() => new PublisherProcess(Executables.TestPeer,
            _ => ["conform-publisher", "conformance", "--format-change-ms", "3000"]), formatChange: true);
        Assert.True(
            results.All(result => result.Outcome == (result.Id == "6.11-start" ? Outcome.Skipped : Outcome.Passed)), SuiteRun.Describe(results));
        Assert.True(results.Count > 100);
    }

    [Fact]
    public async Task The_publisher_that_rests_passes()
    {
        IReadOnlyList<CheckResult> results = await SuiteRun.Publisher(
            () => new PublisherProcess(Executables.TestPeer, _ => ["conform-publisher", "conformance", "--rests"]), only: "6.11*");
        Assert.True(Assert.Single(results).Outcome == Outcome.Passed, SuiteRun.Describe(results));
    }

    [Fact]
    public async Task The_subscriber_passes()
    {
        IReadOnlyList<CheckResult> results = await SuiteRun.Subscriber(Executables.TestPeer, "conform-subscriber", "conformance");
        Assert.True(results.All(result => result.Outcome == Outcome.Passed), SuiteRun.Describe(results));
        Assert.True(results.Count > 150);
    }

    [Fact]
    public void A_publisher_that_ends_leaves_nothing_in_its_directory()
    {
        using var publisher = new PublisherProcess(Executables.TestPeer, _ => ["conform-publisher", "conformance"]);
        Assert.Equal(["conformance.lock", "conformance.sock"], publisher.Files().Order(StringComparer.Ordinal));
        Assert.Equal(0, publisher.Stop());
        Assert.Empty(publisher.Files());
    }
}
