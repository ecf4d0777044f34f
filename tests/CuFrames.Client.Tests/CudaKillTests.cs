using System.Globalization;
using CuFrames.Interop;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>SIGKILL of readers that hold frames in device memory: how soon their slots are back.</summary>
public class CudaKillTests(ITestOutputHelper output)
{
    private const int Quota = 2;

    // Starting a process with CUDA takes longer than the test of one.
    private const int Ahead = 2;
    private static readonly int Kills = TestCuda.IsReal ? 100 : 12;

    [Theory]
    [Trait("needs", "gpu")]
    [InlineData("stream")]
    [InlineData("event")]
    public void A_killed_reader_gives_its_slots_back_whatever_its_GPU_is_doing(string fence)
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Memory = FrameMemory.Cuda, Slots = 6, MaxSlots = 12, MaxLeases = Quota });
        using PeerQueue peers = new(Ahead, () => PeerProcess.StartWith(
            TestCuda.ChildEnvironment, [],
            "device", "--key", TestStream.Key, "--dir", stream.Directory.Path, "--leases", "2", "--fence", fence));
        List<double> times = [];
        int kills = fence == "stream" ? Kills : Kills / 5;
        for (int kill = 0; kill < kills; kill++)
        {
            using PeerProcess reader = peers.Take();
            reader.Expect("ready");
            reader.Ask("connect", "connect");
            for (int i = 0; i < Quota; i++)
            {
                stream.Publish();
                reader.Ask("take 1", "take");
            }

            // A copy first: what may wait for the GPU is done before the kernel.
            reader.Ask("copy", "copy");
            Assert.True(reader.Ask("settle", "settle").GetProperty("isClean").GetBoolean());
            if (kill % 2 == 0)
            {
                // On the double longer than it can take until the slots are counted.
                reader.Ask(TestCuda.IsReal ? "spin 1000" : "spin 4000", "spin");
                reader.Ask("copy", "copy");
                reader.Ask("release", "release");
            }

            Assert.Equal(Quota, stream.Publisher.GetStatistics().HeldSlots);
            ulong before = stream.Publisher.GetStatistics().HungUp;
            long killed = MonotonicClock.NowNanoseconds;
            reader.KillNow();
            while (stream.Publisher.GetStatistics().HungUp == before)
            {
                Assert.True(MonotonicClock.NowNanoseconds - killed < 60_000_000_000, "The publisher does not see that the reader is gone.");
                Thread.Sleep(0); // Nothing announces it; the time is what is measured.
            }

            times.Add((MonotonicClock.NowNanoseconds - killed) / 1e6);
            Assert.Equal(0, stream.Publisher.GetStatistics().HeldSlots);
            stream.Publish(20);
        }

        Assert.Equal((0UL, 0UL), (stream.Publisher.GetStatistics().Dropped, stream.Publisher.GetStatistics().Evicted));
        times.Sort();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"slots back: p50 {times[times.Count / 2]:F2} ms, p99 {times[(times.Count * 99 / 100) - (times.Count > 99 ? 0 : 1)]:F2} ms, worst {times[^1]:F2} ms of {times.Count}"));
    }
}
