using CuFrames.Conformance.Examples;
using CuFrames.Conformance.PacketChecks;
using CuFrames.Conformance.Suite;

namespace CuFrames.Conformance.Tests;

/// <summary>The suite for publishers of packets finds what is broken and nothing else, and the SDK's publisher passes it.</summary>
public sealed class PacketPublisherTests
{
    private static readonly Dictionary<PacketPublisherFault, string[]> Faults = new()
    {
        [PacketPublisherFault.None] = [],
        [PacketPublisherFault.UnsealedBlock] = ["14.5-seals", "14.5-read-only"],
        [PacketPublisherFault.NeverMovesOldest] = ["14.10-oldest"],
        [PacketPublisherFault.WrongCounts] = ["14.8-counts"],
        [PacketPublisherFault.NoZeros] = ["14.10-zeros"],
        [PacketPublisherFault.Gaps] = ["14.10-places"],
        [PacketPublisherFault.OptionalPackets] = ["14.3-welcome"],
        [PacketPublisherFault.AcceptsFrames] = ["14.2-frames-refused"],
        [PacketPublisherFault.NoPageCheck] = ["14.4-page", "14.4-cursor"],
        [PacketPublisherFault.AcceptsMessages] = ["14.4-messages"],
        [PacketPublisherFault.EveryPacketIsLastKey] = ["14.12-last-key"],
        [PacketPublisherFault.UnmarkedChange] = ["14.9-parameters-changed"],
        [PacketPublisherFault.NoFutexWake] = ["8.2-futex-wake"],
    };

    /// <summary>What a fault may break besides: who never says which packets are gone lets a look that comes too late find other bytes in their places.</summary>
    private static readonly Dictionary<PacketPublisherFault, string[]> AtTimes = new()
    {
        [PacketPublisherFault.NeverMovesOldest] = ["14.8-descriptors", "14.8-counts", "14.9-parameters-changed", "14.10-zeros", "14.10-places"],
    };

    public static TheoryData<string> FaultNames => [.. Faults.Keys.Select(fault => fault.ToString())];

    [Theory]
    [MemberData(nameof(FaultNames))]
    public void A_publisher_of_packets_fails_what_its_fault_breaks(string name)
    {
        PacketPublisherFault fault = Enum.Parse<PacketPublisherFault>(name);
        using var publisher = new PublisherProcess(Executables.Conformance,
            socket => ["example-packet-publisher", "--socket", socket, "--until-input-ends", "--break", name]);
        IReadOnlyList<CheckResult> results = CheckRunner.Run(PacketPublisherChecks.All, new PacketContext(publisher.SocketPath), null, _ => { });
        Assert.True(Faults[fault].Order(StringComparer.Ordinal).SequenceEqual(SuiteRun.Failed(results).Except(AtTimes.GetValueOrDefault(fault, []))),
            $"{fault} should fail {string.Join(", ", Faults[fault])} and nothing else:{Environment.NewLine}{SuiteRun.Describe(results)}");
    }

    [Fact]
    public void Every_fault_has_its_case() => Assert.Equal(Enum.GetValues<PacketPublisherFault>().Order(), Faults.Keys.Order());

    [Fact]
    public void The_publisher_of_the_SDK_passes()
    {
        using var publisher = new PublisherProcess(Executables.TestPeer, socket =>
            ["packet-publish", "--key", "conformance", "--dir", Path.GetDirectoryName(socket)!, "--fps", "250"], "conformance+packets");
        IReadOnlyList<CheckResult> results = CheckRunner.Run(PacketPublisherChecks.All, new PacketContext(publisher.SocketPath), null, _ => { });
        Assert.True(results.All(result => result.Outcome == Outcome.Passed), SuiteRun.Describe(results));
        Assert.Equal(PacketPublisherChecks.All.Count, results.Count);
    }
}
