using System.Globalization;
using System.Text.Json;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Publisher and readers in processes of their own, every byte of every frame checked, twice.</summary>
public class StressTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Stop = TimeSpan.FromMilliseconds(60);

    [Fact]
    public void A_hundred_thousand_wraps_tear_repeat_and_reorder_nothing()
    {
        using TemporaryDirectory directory = new();
        using StressReader newest = new("newest", "newest", directory.Path, "--leases", "1");
        using StressReader ordered = new("in-order", "inorder", directory.Path, "--leases", "1");
        using StressReader slowNewest = new("slow-newest", "newest", directory.Path, "--leases", "2", "--hold", "2", "--dwell-us", "300");
        using StressReader slowOrdered = new("slow-in-order", "inorder", directory.Path, "--leases", "2", "--hold", "2", "--dwell-us", "2000");
        using StressReader stopped = new("stopped", "inorder", directory.Path, "--leases", "1");
        using StressReader killed = new("killed", "newest", directory.Path, "--leases", "1");
        StressReader[] survivors = [newest, ordered, slowNewest, slowOrdered, stopped];
        (JsonElement done, int kills) = Run(
            directory, survivors, stopped, killed,
            "--format", "gray8:64x48", "--slots", "4", "--max-slots", "12", "--wraps", "100000");
        Assert.True(done.GetProperty("wraps").GetDouble() >= 100_000);
        Assert.True(kills > 0);
    }

    [Fact]
    public void Lossless_readers_get_every_frame_while_others_are_stopped_and_killed()
    {
        using TemporaryDirectory directory = new();
        using StressReader lossless = new("lossless", "lossless", directory.Path, "--leases", "1");
        using StressReader holding = new("lossless-holding", "lossless", directory.Path, "--leases", "2", "--hold", "2");
        using StressReader newest = new("newest", "newest", directory.Path, "--leases", "1");
        using StressReader stopped = new("stopped", "lossless", directory.Path, "--leases", "1");
        using StressReader killed = new("killed", "lossless", directory.Path, "--leases", "1");
        (JsonElement done, int kills) = Run(
            directory, [lossless, holding, newest, stopped], stopped, killed,
            "--format", "gray8:64x48", "--slots", "6", "--max-slots", "12", "--frames", "40000", "--lossless-ms", "20000", "--lease-timeout-ms", "20000");
        long published = StressReader.Get(done, "published");
        foreach (StressReader reader in (StressReader[])[lossless, holding, stopped])
        {
            Assert.Equal(published, _frames[reader.Name]);
        }

        Assert.True(kills > 0);
    }

    [Fact]
    public void Format_changes_in_mid_stream_tear_nothing_in_any_delivery()
    {
        using TemporaryDirectory directory = new();
        using StressReader lossless = new("lossless", "lossless", directory.Path, "--leases", "3", "--hold", "3");
        using StressReader ordered = new("in-order", "inorder", directory.Path, "--leases", "2", "--hold", "2");
        using StressReader newest = new("newest", "newest", directory.Path, "--leases", "2", "--hold", "2", "--dwell-us", "500");
        using StressReader stopped = new("stopped", "inorder", directory.Path, "--leases", "2", "--hold", "2");
        using StressReader killed = new("killed", "newest", directory.Path, "--leases", "2", "--hold", "2");
        (JsonElement done, int kills) = Run(
            directory, [lossless, ordered, newest, stopped], stopped, killed,
            "--format", "nv12:640x360,gray8:64x48,rgb24:321x181,i420:641x361,nv12:1280x720", "--cycle-every", "97",
            "--slots", "6", "--max-slots", "16", "--frames", "6000", "--lossless-ms", "20000", "--lease-timeout-ms", "20000");
        Assert.Equal(StressReader.Get(done, "published"), _frames["lossless"]);
        Assert.True(StressReader.Get(done, "changes") > 20, done.ToString());
        Assert.True(kills > 0);
    }

    [Fact]
    public void Without_the_lease_scan_the_same_run_finds_torn_frames()
    {
        using TemporaryDirectory directory = new();
        using StressReader slow = new("slow", "newest", directory.Path, "--leases", "2", "--hold", "2", "--dwell-us", "300");
        (JsonElement summary, _) = RunFaulty(directory, slow, "skip-lease-scan", null);
        Assert.True(StressReader.Get(summary, "torn") > 0, summary.ToString());
    }

    [Fact]
    public void Without_the_readers_second_look_the_same_run_finds_lost_frames()
    {
        using TemporaryDirectory directory = new();
        using StressReader fast = new("fast", "newest", directory.Path, "--leases", "1");
        (JsonElement summary, _) = RunFaulty(directory, fast, null, "skip-recheck");
        Assert.True(StressReader.Get(summary, "torn") + StressReader.Get(summary, "lost") > 0, summary.ToString());
    }

    private readonly Dictionary<string, long> _frames = [];

    private (JsonElement Done, int Kills) Run(
        TemporaryDirectory directory, StressReader[] survivors, StressReader stopped, StressReader killed, params string[] options)
    {
        using PeerProcess publisher = PeerProcess.Start(
            ["publish", "--key", "stress", "--dir", directory.Path, "--start-on-go", "1", .. options]);
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
        JsonElement statistics = publisher.Ask("stats", "stats").GetProperty("statistics");
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

    private (JsonElement Summary, JsonElement Done) RunFaulty(
        TemporaryDirectory directory, StressReader reader, string? publisherFault, string? readerFault)
    {
        string[] arguments =
        [
            "publish", "--key", "stress", "--dir", directory.Path, "--start-on-go", "1",
            "--format", "gray8:64x48", "--slots", "4", "--max-slots", "12",

            // Without that scan until the reader finds a torn frame: how many frames that takes is up to how often it gets to run.
            .. publisherFault is null ? (string[])["--wraps", "20000"] : [],
        ];
        using PeerProcess publisher = publisherFault is null ? PeerProcess.Start(arguments) : PeerProcess.StartWithFault(publisherFault, arguments);
        publisher.Expect("ready");
        reader.Start(readerFault);
        reader.WaitUntilReady();
        publisher.Send("go");
        if (publisherFault is not null)
        {
            reader.Peer.Expect("torn");
            publisher.Send("exit");
        }

        JsonElement done = publisher.Expect("done");
        JsonElement summary = reader.Finish();
        output.WriteLine(summary.ToString());
        return (summary, done);
    }
}
