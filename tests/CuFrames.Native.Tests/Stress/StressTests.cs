using System.Globalization;
using System.Text.Json;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests.Stress;

/// <summary>
/// A publisher in C# and readers in all languages at once, each in a process of its own, every byte of every frame checked twice, while one more of
/// each language is killed and started again. On the double of the driver each operation takes a random time.
/// </summary>
[Collection(Name)]
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class StressTests(ITestOutputHelper output)
{
    /// <summary>What runs by itself, after the tests that run beside each other.</summary>
    public const string Name = "alone";

    // In main memory ten thousand take a second or two, in which hardly any reader is killed.
    private const string HostWraps = "60000";
    private const string DeviceWraps = "10000";

    // So does a GPU.
    private const string GpuWraps = "100000";

    // Few slots, so that the ring goes round often: the readers hold ten at the most, while they live. Nobody is to be evicted on a machine that is busy.
    private static readonly string[] Ring = ["--format", "gray8:64x48", "--slots", "4", "--max-slots", "12", "--lease-timeout-ms", "60000"];

    // Time that an operation of the double takes, in microseconds: short, for there are a million of them.
    private const string Delay = "0-20";

    // Long enough to go round the ring in the meantime.
    private const string FaultyDelay = "0-150";

    [Fact]
    public void Sixty_thousand_wraps_tear_repeat_and_reorder_nothing_in_any_language() => Run("host", HostWraps);

    [Theory]
    [Trait("needs", "gpu")]
    [InlineData("cuda")]
    [InlineData("cuda-ipc")]
    public void Ten_thousand_wraps_on_a_GPU_tear_repeat_and_reorder_nothing_in_any_language(string memory) =>
        Run(memory, TestCuda.IsReal ? GpuWraps : DeviceWraps);

    [Theory]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void Without_the_lease_scan_the_same_run_finds_torn_or_lost_frames(string language) => RunFaulty(language, "host", "--wraps", "5000");

    [Theory]
    [Trait("needs", "gpu")]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void Without_the_lease_scan_the_same_run_on_a_GPU_finds_torn_or_lost_frames(string language) =>
        RunFaulty(language, "cuda", "--frames", TestCuda.IsReal ? "20000" : "1500");

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static PeerProcess Publish(string memory, string directory, string? fault, params string[] options)
    {
        Dictionary<string, string> environment = new(StepPeer.EnvironmentOf(Languages.CSharp, memory)) { ["FAKECUDA_DELAY_US"] = fault is null ? Delay : FaultyDelay };
        if (fault is not null)
        {
            environment["CUFRAMES_FAULT"] = fault;
        }

        PeerProcess publisher = PeerProcess.StartWith(
            environment, [], ["publish", "--key", StressReader.Key, "--dir", directory, "--memory", memory, "--start-on-go", "1", .. Ring, .. options]);
        publisher.Expect("ready");
        return publisher;
    }

    private void Run(string memory, string wraps)
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = Publish(memory, directory.Path, null, "--wraps", wraps);
        List<StressReader> survivors = [];
        List<StressReader> killed = [];
        try
        {
            // Deliveries, leases and fences in turn: the languages differ in them, and each is there.
            string[] deliveries = ["newest", "inorder", "newest", "inorder"];
            string[] fences = ["event", "stream", "cpu", "stream"];
            for (int i = 0; i < Languages.Names.Count; i++)
            {
                string language = Languages.Names[i];
                string leases = Number(1 + (i % 2));
                survivors.Add(new StressReader(
                    language, language, memory, directory.Path, "--delivery", deliveries[i], "--fence", fences[i], "--leases", leases, "--hold", leases)
                { Delay = Delay });
                killed.Add(new StressReader(
                    language + " killed", language, memory, directory.Path, "--delivery", deliveries[^(i + 1)], "--fence", fences[^(i + 1)], "--leases", "1")
                { Delay = Delay });
            }

            StressReader[] all = [.. survivors, .. killed];
            Array.ForEach(all, reader => reader.Start());
            Array.ForEach(all, reader => reader.Peer.Expect("ready"));
            publisher.Send("go");
            killed.ForEach(reader => reader.Peer.Expect("connected"));
            int[] kills = new int[killed.Count];
            Task<JsonElement> done = Task.Run(() => publisher.Expect("done"));
            while (!done.IsCompleted || kills.Contains(0))
            {
                // On a busy machine the frames may have been published before it was each one's turn: their leases have to go all the same.
                int next = Array.IndexOf(kills, kills.Min());
                killed[next].KillAndRestart();
                kills[next]++;
            }

            List<JsonElement> summaries = [.. survivors.Select(reader => reader.Finish())];
            foreach (StressReader reader in killed)
            {
                JsonElement last = reader.Peer.Ask("finish", "summary");
                Assert.True((0, 0, 0) == (last.Number("torn"), last.Number("lost"), last.Number("missedWrong")), last.ToString());
            }

            JsonElement told = publisher.Ask("stats", "stats");
            JsonElement statistics = told.GetProperty("statistics");
            for (int i = 0; i < survivors.Count; i++)
            {
                output.WriteLine($"{survivors[i].Name}: {summaries[i]}");
                survivors[i].RequireClean(summaries[i], statistics);
            }

            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{done.Result}, kills: {string.Join(", ", kills)}"));
            Assert.Equal("[]", told.GetProperty("evictions").ToString());
            Assert.Equal((0, 0), (statistics.Number("Evicted"), statistics.Number("HeldSlots")));
            Assert.Equal(kills.Sum(), statistics.Number("HungUp"));
            Assert.True(done.Result.GetProperty("wraps").GetDouble() >= double.Parse(wraps, CultureInfo.InvariantCulture));
            Assert.All(all, reader => Assert.Equal(0, reader.Peer.Exit()));
            Assert.Equal(0, publisher.Exit());
        }
        finally
        {
            survivors.ForEach(reader => reader.Dispose());
            killed.ForEach(reader => reader.Dispose());
        }
    }

    private void RunFaulty(string language, string memory, params string[] frames)
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = Publish(memory, directory.Path, "skip-lease-scan", frames);
        using StressReader reader = new(
            language, language, memory, directory.Path, "--delivery", "newest", "--leases", "2", "--hold", "2", "--dwell-us", "300")
        { Delay = FaultyDelay };
        reader.Start();
        reader.Peer.Expect("ready");
        publisher.Send("go");
        publisher.Expect("done");
        JsonElement summary = reader.Finish();
        output.WriteLine(summary.ToString());

        // A subscriber that is given a slot which it holds hangs up; what it holds is lost then.
        Assert.True(summary.Long("torn") + summary.Long("lost") > 0, summary.ToString());
    }
}
