using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Publisher and readers of packets in processes of their own; every byte and every field of every packet is checked, losses are compared with
/// what was published.</summary>
public partial class PacketStressTests(ITestOutputHelper output)
{
    private const int SigStop = PeerProcess.SigStop;
    private const int SigContinue = PeerProcess.SigContinue;

    [Fact]
    public async Task Thirty_thousand_wraps_tear_nothing_and_losses_are_told_exactly()
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = PeerProcess.Start(
            "packet-publish", "--key", "stress", "--dir", directory.Path, "--start-on-go", "1", "--wraps", "30000");
        publisher.Expect("ready");
        using PeerProcess fast = Reader(directory, "fast");
        using PeerProcess slow = Reader(directory, "slow", "--dwell-us", "200");
        using PeerProcess stopped = Reader(directory, "stopped");
        PeerProcess killed = Reader(directory, "killed");
        PeerProcess[] survivors = [fast, slow, stopped];
        int kills = 0;
        JsonElement done;
        try
        {
            publisher.Send("go");
            Task<JsonElement> running = Task.Run(() => publisher.Expect("done"));
            do
            {
                killed.Expect("connected");
                stopped.Signal(SigStop);

                // The reader is away for as long as the ring needs to go round many times.
                Thread.Sleep(60);
                stopped.Signal(SigContinue);
                Assert.DoesNotContain("fault", killed.KillAndReadRest(), StringComparison.Ordinal);
                killed.Dispose();
                kills++;
                killed = Reader(directory, "killed");
            }
            while (!running.IsCompleted);

            done = await running;
            Assert.True(done.GetProperty("wraps").GetInt64() >= 30_000);
        }
        finally
        {
            killed.Dispose();
        }

        ulong published = done.GetProperty("published").GetUInt64();
        foreach (PeerProcess reader in survivors)
        {
            JsonElement summary = reader.Ask("finish", "summary");
            output.WriteLine(summary.ToString());
            RequireClean(summary);
            Assert.Equal(published, summary.GetProperty("Last").GetUInt64());

            // From where the reader started, all were taken or told to be lost.
            Assert.Equal(
                published - summary.GetProperty("First").GetUInt64() + 1, summary.GetProperty("Taken").GetUInt64() + summary.GetProperty("Missed").GetUInt64());
            Assert.Equal(0, reader.Exit());
        }

        TestStream.Until(() => publisher.Ask("stats", "stats").GetProperty("statistics").GetProperty("Subscribers").GetArrayLength() == 0, "every page is given back");
        JsonElement statistics = publisher.Ask("stats", "stats").GetProperty("statistics");
        Assert.Equal(0, statistics.GetProperty("Evicted").GetInt32());
        Assert.InRange(statistics.GetProperty("HungUp").GetInt32(), kills, kills + 1);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{done}, {kills} kills"));
        Assert.Equal(0, publisher.Exit());
    }

    [Fact]
    public void Without_moving_the_oldest_sequence_the_same_run_finds_torn_packets()
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = PeerProcess.StartWithFault(
            "skip-oldest", "packet-publish", "--key", "stress", "--dir", directory.Path, "--start-on-go", "1", "--max-packets", "65536");
        publisher.Expect("ready");
        using PeerProcess slow = Reader(directory, "slow", "--dwell-us", "200");
        publisher.Send("go");
        string text = slow.Expect("fault").ToString();
        output.WriteLine(text);
        Assert.Contains("torn", text, StringComparison.Ordinal);
        slow.Kill();
        publisher.Kill();
    }

    [Fact]
    public void A_killed_publisher_is_followed_by_another_epoch()
    {
        using TemporaryDirectory directory = new();
        using PeerProcess reader = Reader(directory, "reader");
        for (int i = 0; i < 4; i++)
        {
            using PeerProcess publisher = PeerProcess.Start("packet-publish", "--key", "stress", "--dir", directory.Path, "--fps", "500");
            publisher.Expect("ready");
            if (i == 0)
            {
                reader.Expect("connected");
            }

            // Long enough for key frames and for reconnecting.
            TestStream.Until(() => publisher.Ask("stats", "stats").GetProperty("statistics").GetProperty("Subscribers") is var list &&
                list.GetArrayLength() == 1 && list[0].GetProperty("Taken").GetUInt64() > 60, "the reader reads");
            publisher.Kill();
        }

        JsonElement summary = reader.Ask("finish", "summary");
        output.WriteLine(summary.ToString());
        RequireClean(summary);
        Assert.Equal((4, 3), (summary.GetProperty("Epochs").GetInt32(), summary.GetProperty("Reconnects").GetInt32()));
        Assert.Equal(0, reader.Exit());
    }

    [Fact]
    public void Publishing_and_taking_allocate_nothing()
    {
        using PeerProcess peer = PeerProcess.Start("packet-allocations", "--packets", "20000");
        JsonElement answer = peer.Expect("allocated");
        Assert.Equal((0, 0), (answer.GetProperty("torn").GetInt64(), answer.GetProperty("bytes").GetInt64()));
    }

    [Fact]
    public void A_publish_to_busy_readers_makes_no_system_call()
    {
        const int few = 50_000;
        const int many = 350_000;
        int fewCalls = CountCalls(few);
        int manyCalls = CountCalls(many);
        output.WriteLine($"{fewCalls} calls for {few} packets, {manyCalls} for {many}");

        // The difference is the runtime's own noise (its tiering and its collector), not one call in a thousand packets.
        Assert.True(manyCalls - fewCalls < (many - few) / 1000, $"{fewCalls} calls for {few} packets, {manyCalls} for {many}");
    }

    private static int CountCalls(int packets)
    {
        using TemporaryDirectory directory = new();
        string trace = Path.Combine(directory.Path, "trace");
        using PeerProcess publisher = PeerProcess.StartUnder(
            ["strace", "-f", "-qq", "-o", trace],
            "packet-publish", "--key", "quiet", "--dir", directory.Path, "--start-on-go", "1", "--packets", packets.ToString(CultureInfo.InvariantCulture));
        publisher.Expect("ready");
        using PacketSubscriber busy = PacketSubscriber.Connect("quiet", new PacketSubscriberOptions { Directory = directory.Path });
        publisher.Send("go");
        publisher.Expect("done");
        Assert.True(busy.TryTake(out Packet packet));
        Assert.True(packet.IsKey);
        Assert.Equal(0, publisher.Exit());

        // The publishing thread is the process's first.
        string[] lines = File.ReadAllLines(trace);
        string first = lines[0].Split(' ')[0];
        return lines.Count(line => line.StartsWith(first + " ", StringComparison.Ordinal) && Call().IsMatch(line));
    }

    private static PeerProcess Reader(TemporaryDirectory directory, string name, params string[] options)
    {
        PeerProcess reader = PeerProcess.Start(["packet-read", "--key", "stress", "--dir", directory.Path, "--program", name, .. options]);
        reader.Expect("ready");
        return reader;
    }

    private static void RequireClean(JsonElement summary)
    {
        Assert.True(summary.GetProperty("Faults").GetArrayLength() == 0, summary.ToString());
        ulong missed = summary.GetProperty("Missed").GetUInt64();
        Assert.Equal(missed, summary.GetProperty("ownMissed").GetUInt64());
        Assert.Equal(missed, summary.GetProperty("missedOn").EnumerateArray().Aggregate(0UL, (sum, value) => sum + value.GetUInt64()));
        Assert.True(summary.GetProperty("Whole").GetInt64() > 0, summary.ToString());
    }

    [GeneratedRegex(@"^\d+ +[a-z_0-9]+\(")]
    private static partial Regex Call();
}
