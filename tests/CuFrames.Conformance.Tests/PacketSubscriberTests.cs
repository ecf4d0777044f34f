using CuFrames.Conformance.Examples;
using CuFrames.Conformance.PacketChecks;
using CuFrames.Conformance.SubscriberChecks;
using CuFrames.Conformance.Suite;

namespace CuFrames.Conformance.Tests;

/// <summary>The suite for subscribers of packets finds what is broken and nothing else, and the SDK's subscriber passes it.</summary>
public sealed class PacketSubscriberTests
{
    // What must fail. A fault that is a race may be seen by other checks too: those in brackets.
    private static readonly Dictionary<PacketSubscriberFault, string[]> Faults = new()
    {
        [PacketSubscriberFault.None] = [],
        [PacketSubscriberFault.NoFutureWriteCheck] = ["14.5-block-without-futurewrite"],
        [PacketSubscriberFault.IgnoresTracks] = ["14.3-welcome-track-twice", "14.3-welcome-track-left-out", "14.3-welcome-track-beyond", "14.3-welcome-track-too-wide"],
        [PacketSubscriberFault.IgnoresCounts] = ["14.11-packet-count-zero", "14.11-packet-count-above", "14.11-packet-counts-sum"],
        [PacketSubscriberFault.IgnoresSets] =
        [
            "14.11-packet-set-zero", "14.11-packet-set-to-come", "14.11-set-number", "14.11-set-time-base-numerator", "14.11-set-time-base-denominator",
            "14.11-set-time-base-huge", "14.11-set-width", "14.11-set-extradata",
        ],
        [PacketSubscriberFault.NoRecheck] = ["14.11-whole", "(14.13-lapped)", "(14.13-lapped-no-key)"],
        [PacketSubscriberFault.StartsAtOldest] = ["14.12-last-key", "14.12-no-key", "14.12-key-gone", "14.12-without-video", "14.13-first-start"],
        [PacketSubscriberFault.GoesOnAnywhere] = ["14.13-lapped", "14.13-lapped-no-key"],
        [PacketSubscriberFault.NothingMissed] = ["14.13-lapped", "14.13-lapped-no-key"],
        [PacketSubscriberFault.NoPage] = ["5.1-counters", "14.13-first-start", "14.13-lapped-no-key"],
        [PacketSubscriberFault.Leases] = ["14.4-no-leases"],
        [PacketSubscriberFault.AcceptsMessages] = ["14.4-retire", "14.4-segment-ready", "14.4-hello"],
        [PacketSubscriberFault.TrustsOldest] = ["14.11-oldest-above-head", "14.11-oldest-goes-back"],
    };

    public static TheoryData<string> FaultNames => [.. Faults.Keys.Select(fault => fault.ToString())];

    [Theory]
    [MemberData(nameof(FaultNames))]
    public void A_subscriber_of_packets_fails_what_its_fault_breaks(string name)
    {
        PacketSubscriberFault fault = Enum.Parse<PacketSubscriberFault>(name);
        IReadOnlyList<CheckResult> results = Run(Executables.Conformance, "example-packet-subscriber", "--break", name);
        string[] failed = [.. SuiteRun.Failed(results)];
        string[] must = [.. Faults[fault].Where(id => !id.StartsWith('('))];
        string[] may = [.. Faults[fault].Select(id => id.Trim('(', ')'))];
        Assert.True(must.All(failed.Contains) && failed.All(may.Contains),
            $"{fault} should fail {string.Join(", ", Faults[fault])} and nothing else:{Environment.NewLine}{SuiteRun.Describe(results)}");
    }

    [Fact]
    public void Every_fault_has_its_case() => Assert.Equal(Enum.GetValues<PacketSubscriberFault>().Order(), Faults.Keys.Order());

    [Fact]
    public void The_subscriber_of_the_SDK_passes()
    {
        IReadOnlyList<CheckResult> results = Run(Executables.TestPeer, "conform-packet-subscriber", "conformance");
        Assert.True(results.All(result => result.Outcome == Outcome.Passed), SuiteRun.Describe(results));
        Assert.Equal(PacketSubscriberChecks.All.Count, results.Count);
        Assert.True(results.Count > 100);
    }

    private static IReadOnlyList<CheckResult> Run(params string[] command)
    {
        using SubscriberContext context = new(command, SubscriberContext.Packets);
        return CheckRunner.Run(PacketSubscriberChecks.All, context, null, _ => { });
    }
}
