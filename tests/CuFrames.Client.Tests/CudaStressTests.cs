using System.Globalization;
using System.Text.Json;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>
/// The stress run on frames in device memory: publisher and readers in processes of their own, every byte of every frame checked in copies that the
/// readers' streams make. On the double each operation takes a random time.
/// </summary>
public class CudaStressTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Stop = TimeSpan.FromMilliseconds(60);
    private static readonly string Wraps = TestCuda.IsReal ? "100000" : "500";

    [Theory]
    [Trait("needs", "gpu")]
    [InlineData("cuda")]
    [InlineData("cuda-ipc")]
    public void A_hundred_thousand_wraps_on_a_GPU_and_some_on_the_double_tear_repeat_and_reorder_nothing_whatever_fence_ends_a_lease(string memory)
    {
        using TemporaryDirectory directory = new();
        using StressReader cpu = Reader(directory, "cpu", "newest", "--fence", "cpu", "--leases", "1");
        using StressReader stream = Reader(directory, "stream", "inorder", "--fence", "stream", "--leases", "2");
        using StressReader events = Reader(directory, "event", "newest", "--fence", "event", "--leases", "1");
        using StressReader slow = Reader(directory, "slow", "newest", "--fence", "stream", "--leases", "2", "--hold", "2", "--busy-us", "1000");
        using StressReader stopped = Reader(directory, "stopped", "inorder", "--fence", "event", "--leases", "1");
        using StressReader killed = Reader(directory, "killed", "newest", "--fence", "stream", "--leases", "1");
        StressReader[] survivors = [cpu, stream, events, slow, stopped];
        (JsonElement done, int kills) = Run(
            directory, survivors, stopped, killed,
            "--memory", memory, "--format", "gray8:64x48", "--slots", "3", "--max-slots", "9", "--wraps", Wraps);
        Assert.True(done.GetProperty("wraps").GetDouble() >= int.Parse(Wraps, CultureInfo.InvariantCulture));
        Assert.True(kills > 0);
    }

    [Theory]
    [Trait("needs", "gpu")]
    [InlineData("cuda")]
    [InlineData("cuda-ipc")]
    public void Lossless_readers_get_every_frame_by_every_fence_while_others_are_stopped_and_killed(string memory)
    {
        using TemporaryDirectory directory = new();
        using StressReader cpu = Reader(directory, "cpu", "lossless", "--fence", "cpu", "--leases", "2", "--hold", "2");
        using StressReader stream = Reader(directory, "stream", "lossless", "--fence", "stream", "--leases", "3", "--hold", "2");
        using StressReader events = Reader(directory, "event", "lossless", "--fence", "event", "--leases", "1");
        using StressReader stopped = Reader(directory, "stopped", "lossless", "--fence", "stream", "--leases", "1");
        using StressReader killed = Reader(directory, "killed", "lossless", "--fence", "event", "--leases", "1");
        (JsonElement done, int kills) = Run(
            directory, [cpu, stream, events, stopped], stopped, killed,
            "--memory", memory, "--format", "gray8:64x48", "--slots", "6", "--max-slots", "12",
            "--frames", TestCuda.IsReal ? "20000" : "1500", "--lossless-ms", "20000", "--lease-timeout-ms", "20000");
        long published = StressReader.Get(done, "published");
        foreach (StressReader reader in (StressReader[])[cpu, stream, events, stopped])
        {
            Assert.Equal(published, _frames[reader.Name]);
        }

        Assert.True(kills > 0);
    }

    [Theory]
    [Trait("needs", "gpu")]
    [InlineData("cuda")]
    [InlineData("cuda-ipc")]
    public void Format_changes_and_a_ring_that_grows_and_shrinks_tear_nothing(string memory)
    {
        using TemporaryDirectory directory = new();
        using StressReader lossless = Reader(directory, "lossless", "lossless", "--fence", "stream", "--leases", "3", "--hold", "2");
        using StressReader ordered = Reader(directory, "in-order", "inorder", "--fence", "event", "--leases", "3", "--hold", "2");
        using StressReader newest = Reader(directory, "newest", "newest", "--fence", "cpu", "--leases", "2", "--hold", "2");
        using StressReader stopped = Reader(directory, "stopped", "inorder", "--fence", "stream", "--leases", "2", "--hold", "2");
        using StressReader killed = Reader(directory, "killed", "newest", "--fence", "event", "--leases", "4", "--hold", "4");
        (JsonElement done, int kills) = Run(
            directory, [lossless, ordered, newest, stopped], stopped, killed,
            "--memory", memory, "--format", "nv12:640x360,gray8:64x48,rgb24:321x181,i420:641x361,p010:322x182", "--cycle-every", "97",
            "--slots", "6", "--max-slots", "16", "--frames", TestCuda.IsReal ? "6000" : "1500",
            "--lossless-ms", "20000", "--lease-timeout-ms", "20000", "--shrink-after-ms", "100");
        Assert.Equal(StressReader.Get(done, "published"), _frames["lossless"]);
        Assert.True(StressReader.Get(done, "changes") > (TestCuda.IsReal ? 20 : 5), done.ToString());
        Assert.True(kills > 0);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void Without_the_completion_wait_the_same_run_finds_torn_frames()
    {
        using TemporaryDirectory directory = new();
        using StressReader fast = Reader(directory, "fast", "newest", "--fence", "cpu", "--leases", "1");
        // A GPU copies faster than a reader wakes: work before the copy gives the reader time to come too early.
        string[] work = TestCuda.IsReal ? ["--busy-us", "5000", "--fps", "100"] : [];
        JsonElement summary = RunFaulty(directory, fast, "skip-completion-wait", ["--format", "nv12:1280x720", .. work]);
        Assert.True(StressReader.Get(summary, "torn") > 0, summary.ToString());
    }

    [Theory]
    [Trait("needs", "gpu")]
    [InlineData("cpu")]
    [InlineData("stream")]
    [InlineData("event")]
    public void Without_the_lease_scan_the_same_run_finds_torn_frames(string fence)
    {
        using TemporaryDirectory directory = new();
        using StressReader slow = Reader(directory, "slow", "newest", "--fence", fence, "--leases", "2", "--hold", "2", "--busy-us", "2000");
        JsonElement summary = RunFaulty(directory, slow, "skip-lease-scan", ["--format", "gray8:64x48"]);
        Assert.True(StressReader.Get(summary, "torn") > 0, summary.ToString());
    }

    private readonly Dictionary<string, long> _frames = [];

    // On the double: long enough to go round the ring in the meantime.
    private static Dictionary<string, string> Environment(string? fault = null)
    {
        Dictionary<string, string> variables = new(TestCuda.ChildEnvironment) { ["FAKECUDA_DELAY_US"] = "0-150" };
        if (fault is not null)
        {
            variables["CUFRAMES_FAULT"] = fault;
        }

        return variables;
    }

    private static StressReader Reader(TemporaryDirectory directory, string name, string delivery, params string[] options) =>
        new(name, delivery, directory.Path, options) { Environment = Environment() };

    private (JsonElement Done, int Kills) Run(
        TemporaryDirectory directory, StressReader[] survivors, StressReader stopped, StressReader killed, params string[] options)
    {
        using PeerProcess publisher = PeerProcess.StartWith(
            Environment(), [], ["publish", "--key", "stress", "--dir", directory.Path, "--start-on-go", "1", .. options]);
        publisher.Expect("ready");
        StressReader[] readers = [.. survivors, killed];
        foreach (StressReader reader in readers)
        {
            reader.Start();
        }

        foreach (StressReader reader in readers)
        {
            reader.WaitUntilReady();
        }

        publisher.Send("go");
        killed.Peer.Expect("connected");
        Task<JsonElement> done = Task.Run(() => publisher.Expect("done"));
        int stops = 0;
        int kills = 0;
        do
        {
            stopped.StopFor(Stop);
            stops++;
            killed.KillAndRestart();
            kills++;
        }
        while (!done.IsCompleted);

        List<JsonElement> summaries = [.. survivors.Select(reader => reader.Finish())];
        JsonElement told = publisher.Ask("stats", "stats");
        Assert.Equal("[]", told.GetProperty("evictions").ToString());
        JsonElement statistics = told.GetProperty("statistics");
        for (int i = 0; i < survivors.Length; i++)
        {
            output.WriteLine(summaries[i].ToString());
            survivors[i].RequireClean(summaries[i], statistics);
            _frames[survivors[i].Name] = StressReader.Get(summaries[i], "frames");
        }

        Assert.Equal(0, StressReader.Get(statistics, "Evicted"));
        Assert.Equal(kills, StressReader.Get(statistics, "HungUp"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{done.Result}, {stops} stops, {kills} kills"));
        Assert.Equal(0, killed.Peer.Exit());
        foreach (StressReader reader in survivors)
        {
            Assert.Equal(0, reader.Peer.Exit());
        }

        Assert.Equal(0, publisher.Exit());
        return (done.Result, kills);
    }

    /// <summary>Publishes until the reader finds a torn frame: how many frames that takes is up to how often it gets to run.</summary>
    private JsonElement RunFaulty(TemporaryDirectory directory, StressReader reader, string fault, string[] options)
    {
        using PeerProcess publisher = PeerProcess.StartWith(
            Environment(fault), [],
            ["publish", "--key", "stress", "--dir", directory.Path, "--start-on-go", "1", "--memory", "cuda", "--slots", "4", "--max-slots", "12", .. options]);
        publisher.Expect("ready");
        reader.Start();
        reader.WaitUntilReady();
        publisher.Send("go");
        reader.Peer.Expect("torn");
        publisher.Send("exit");
        publisher.Expect("done");
        JsonElement summary = reader.Finish();
        output.WriteLine(summary.ToString());
        return summary;
    }
}
