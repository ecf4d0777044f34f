using System.Collections.Concurrent;
using CuFrames.Conformance.Examples;
using CuFrames.Conformance.Suite;

namespace CuFrames.Conformance.Tests;

/// <summary>
/// The suite finds what is broken and nothing else: small implementations of both sides, each with one fault, fail exactly
/// the checks that are about it; without a fault they pass.
/// </summary>
public sealed class ExampleTests
{
    private static readonly string[] EveryBadPage =
    [
        "5.2-lease-above-head", "5.2-lease-garbage", "5.2-cursor-above-head", "5.2-cursor-back", "5.2-quota", "5.2-page-garbage",
    ];

    // The slow ones first: they run at the same time, a few at once.
    private static readonly Dictionary<PublisherFault, string[]> PublisherFaults = new()
    {
        [PublisherFault.NoPageCheck] = EveryBadPage,
        [PublisherFault.NoHandshakeTimeout] = ["3.1-handshake-timeout"],
        [PublisherFault.NoLeaseTimeout] = ["6.9-lease-timeout"],
        [PublisherFault.NoLeaseCheck] =
            ["6.6-lease-protects", "6.5-lease-race", "9.3-hang-up-frees", .. EveryBadPage, "6.9-lease-timeout", "6.8-lossless"],
        [PublisherFault.NoFutexWake] = ["8.2-futex-wake"],
        [PublisherFault.LeaksDescriptors] = ["2.4-descriptors-closed", "13.1-active-descriptor"],
        [PublisherFault.None] = [],
        [PublisherFault.UnsealedControlBlock] = ["4.1-seals", "4.1-read-only"],
        [PublisherFault.UnsealedSegment] = ["6.3-segment", "6.2-read-only"],
        [PublisherFault.SequenceGap] = ["4.2-sequences", "6.8-lossless"],
        [PublisherFault.DoorbellPerFrame] = ["8.3-one-doorbell"],
        [PublisherFault.IgnoresMustUnderstand] =
        [
            "2.6-hello-unknown-tlv-with-must-understand", "2.6-hello-known-tlv-out-of-place-with-must-understand",
            "13.1-active-must-understand",
        ],
        [PublisherFault.HeadFirst] = ["4.2-sequences", "6.5-order", "6.8-lossless"],
        [PublisherFault.NoCorrelation] = ["2.5-correlation"],
        [PublisherFault.LateSegment] = ["6.10-format-change"],
        [PublisherFault.NoStart] = ["6.11-start"],
    };

    private static readonly Dictionary<SubscriberFault, string[]> SubscriberFaults = new()
    {
        [SubscriberFault.NeverReleases] =
        [
            "6.6-takes-frames", "6.6-quota", "6.6-missed", "6.7-releases", "5.1-counters", "5.1-cursor", "5.2-lease-words",
            "8.1-waiting", "6.10-format-change", "9.3-new-epoch",
        ],
        [SubscriberFault.IgnoresCrop] =
        [
            "10.1-nv12", "10.1-i420", "10.1-p010", "10.1-gray8", "10.1-rgb24", "10.1-bgr24", "10.1-rgba", "10.1-bgra",
            "6.10-format-change", "4.9-pitch-shorter-than-a-row-with-crop", "4.9-crop-left-odd", "4.9-crop-top-odd",
            "4.9-crop-left-odd-i420", "4.9-crop-top-odd-p010", "4.9-crop-beyond-the-segment", "4.9-tensor-crop-top", "4.9-tensor-crop-bottom",
        ],
        [SubscriberFault.NoPitchCheck] =
        [
            "4.9-pitch-shorter-than-a-row", "4.9-pitch-shorter-than-a-row-with-crop", "4.9-chroma-pitch-shorter-than-a-row",
            "4.9-pitch-zero", "4.9-tensor-bgrp-with-a-shorter-pitch", "4.9-tensor-bgrp_f16-with-a-shorter-pitch", "4.9-tensor-bgrp_f32-with-a-shorter-pitch",
            "4.9-tensor-rgbp-with-a-shorter-pitch", "4.9-tensor-rgbp_f16-with-a-shorter-pitch", "4.9-tensor-rgbp_f32-with-a-shorter-pitch",
        ],
        [SubscriberFault.NoSegmentReady] = ["6.3-segment-ready", "6.4-new-segment", "6.10-shrink", "9.3-last-message"],
        [SubscriberFault.NoRetired] = ["6.10-format-change", "6.10-shrink"],
        [SubscriberFault.NoFutureWriteCheck] = ["4.1-control-block-without-futurewrite", "6.3-segment-without-futurewrite"],
        [SubscriberFault.IgnoresMustUnderstand] = ["2.6-welcome-must-understand", "2.6-must-understand"],
        [SubscriberFault.LeaksDescriptors] = ["2.4-nothing-left", "2.4-descriptors-closed"],
        [SubscriberFault.None] = [],
        [SubscriberFault.NoStateCheck] = ["6.6-rechecks-state"],
        [SubscriberFault.NoLease] = ["6.6-leases"],
        [SubscriberFault.ExceedsQuota] = ["6.6-quota"],
        [SubscriberFault.NothingMissed] = ["6.6-missed", "6.11-start-before-head"],
        [SubscriberFault.CursorGoesBack] = ["5.1-counters", "5.1-cursor"],
        [SubscriberFault.IgnoresControlMessages] = ["6.4-new-segment", "6.10-format-change"],
        [SubscriberFault.IgnoresStart] = ["6.11-start-at-head", "6.11-start-before-head"],
        [SubscriberFault.AnswersBye] = ["13.2-await-welcome-bye", "9.2-bye"],
    };

    // The first case that asks starts all of them; each then waits for its own.
    private static readonly Lazy<ConcurrentDictionary<Enum, Task<IReadOnlyList<CheckResult>>>> Runs = new(StartAll);

    public static TheoryData<string> PublisherFaultNames => [.. PublisherFaults.Keys.Select(fault => fault.ToString())];

    public static TheoryData<string> SubscriberFaultNames => [.. SubscriberFaults.Keys.Select(fault => fault.ToString())];

    [Theory]
    [MemberData(nameof(PublisherFaultNames))]
    public async Task A_publisher_fails_what_its_fault_breaks(string name)
    {
        PublisherFault fault = Enum.Parse<PublisherFault>(name);
        await AssertFails(fault, PublisherFaults[fault]);
    }

    [Theory]
    [MemberData(nameof(SubscriberFaultNames))]
    public async Task A_subscriber_fails_what_its_fault_breaks(string name)
    {
        SubscriberFault fault = Enum.Parse<SubscriberFault>(name);
        await AssertFails(fault, SubscriberFaults[fault]);
    }

    [Fact]
    public async Task A_publisher_that_rests_passes()
    {
        IReadOnlyList<CheckResult> results = await SuiteRun.Publisher(() => new PublisherProcess(
            Executables.Conformance, socket => ["example-publisher", "--socket", socket, "--until-input-ends", "--rests"]), only: "6.11*");
        CheckResult result = Assert.Single(results);
        Assert.True(result.Outcome == Outcome.Passed, SuiteRun.Describe(results));
    }

    [Fact]
    public void Every_fault_has_its_case()
    {
        Assert.Equal(Enum.GetValues<PublisherFault>().Order(), PublisherFaults.Keys.Order());
        Assert.Equal(Enum.GetValues<SubscriberFault>().Order(), SubscriberFaults.Keys.Order());
    }

    private static async Task AssertFails(Enum fault, string[] expected)
    {
        IReadOnlyList<CheckResult> results = await Runs.Value[fault];
        Assert.True(expected.Order(StringComparer.Ordinal).SequenceEqual(SuiteRun.Failed(results)),
            $"{fault} should fail {string.Join(", ", expected)} and nothing else:{Environment.NewLine}{SuiteRun.Describe(results)}");
    }

    private static ConcurrentDictionary<Enum, Task<IReadOnlyList<CheckResult>>> StartAll()
    {
        var runs = new ConcurrentDictionary<Enum, Task<IReadOnlyList<CheckResult>>>();
        foreach (PublisherFault fault in PublisherFaults.Keys)
        {
            // Only this fault shows when the format changes, and only there, and one where the publisher rests; the others are tested without both. The
            // change waits long enough for the check to see the format before it.
            bool late = fault == PublisherFault.LateSegment;
            bool rests = fault == PublisherFault.NoStart;
            runs[fault] = SuiteRun.Publisher(
                () => new PublisherProcess(Executables.Conformance, socket =>
                    ["example-publisher", "--socket", socket, "--until-input-ends", "--break", fault.ToString(), .. late ? ["--format-change-ms", "3000"] : Array.Empty<string>(), .. rests ? ["--rests"] : Array.Empty<string>()]),
                late,
                late ? "6.10*" : rests ? "6.11*" : null);
        }

        foreach (SubscriberFault fault in SubscriberFaults.Keys)
        {
            runs[fault] = SuiteRun.Subscriber(Executables.Conformance, "example-subscriber", "--break", fault.ToString());
        }

        return runs;
    }
}
