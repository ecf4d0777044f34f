using System.Collections.Concurrent;
using System.Globalization;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Reclaim;

/// <summary>From SIGKILL of a reader that holds its full quota of 1080p frames until the publisher has the slots again.</summary>
internal sealed class ReclaimBenchmark : IBenchmark
{
    private const string Key = "reclaim";
    private const string Kills = "reclaim.csv";
    private const double AimMilliseconds = 10;

    public string Name => "reclaim";

    public string Title => "kill -9 of a reader that holds its full quota";

    public void Run(RunContext context)
    {
        int kills = context.Pick(200, 30);
        context.Note("kills", kills);
        using StreamWriter table = context.CreateTable(Kills, "kill,held,ns");
        using TemporaryDirectory directory = new();
        using BlockingCollection<long> gone = [];
        PublisherOptions options = new()
        {
            Directory = directory.Path,
            OnEvent = happened =>
            {
                if (happened.Kind == PublisherEventKind.SubscriberLeft)
                {
                    gone.Add(MonotonicClock.NowNanoseconds);
                }
            },
        };
        int quota = options.MaxLeases;
        using FramePublisher publisher = FramePublisher.Create(Key, new StreamFormat(PixelFormat.Nv12, 1920, 1080), options);
        for (int kill = 1; kill <= kills; kill++)
        {
            using Peer reader = Peer.Start(PeerRoles.HoldingReader, Key, directory.Path, quota);
            string granted = reader.Expect("READY")[0];
            for (int frame = 0; frame < quota; frame++)
            {
                Publish(publisher);
                reader.Expect("HELD");
            }

            int held = publisher.GetStatistics().HeldSlots;
            if (held != quota || granted != held.ToString(CultureInfo.InvariantCulture))
            {
                throw new InvalidOperationException($"The reader was granted {granted} frames and holds {held} instead of its quota of {quota}.");
            }

            long killed = MonotonicClock.NowNanoseconds;
            reader.Kill();
            if (!gone.TryTake(out long free, TimeSpan.FromSeconds(10)))
            {
                throw new TimeoutException("The publisher did not notice within 10 s that its reader was killed.");
            }

            if (publisher.GetStatistics() is { HeldSlots: not 0 } statistics)
            {
                throw new InvalidOperationException($"{statistics.HeldSlots} slots are still held although the reader is gone.");
            }

            table.WriteLine($"{kill},{held},{free - killed}");
            reader.WaitForDeath();
        }

        context.Add("reclaim", 1, ("kills", kills), ("dropped frames", publisher.GetStatistics().Dropped));
    }

    public void Report(RawData raw, Section section)
    {
        double[] milliseconds = [.. raw.Table(Kills).Select(row => double.Parse(row[2], CultureInfo.InvariantCulture) / 1e6)];
        Figure p50 = section.Add(new Figure("slots back after kill -9, p50", "ms", [Statistics.Percentile(milliseconds, 0.5)]));
        Figure p99 = section.Add(new Figure("slots back after kill -9, p99", "ms", [Statistics.Percentile(milliseconds, 0.99)]) with { Aim = AimMilliseconds, AimIsUpperBound = true });
        Figure least = section.Add(new Figure("slots back after kill -9, least", "ms", [milliseconds.Min()]));
        Figure most = section.Add(new Figure("slots back after kill -9, most", "ms", [milliseconds.Max()]));
        section.Text(
            $"{milliseconds.Length} readers, one after the other, each a process that holds {raw.Table(Kills).First()[1]} frames of 1080p NV12. The time is from right before kill(2) " +
            "to the publisher's event that the reader is gone and its leases are dropped; that no slot is held is checked after each.");
        section.Table(["kills", "least, ms", "p50, ms", "p99, ms", "most, ms"], [[$"{milliseconds.Length}", least.Range, p50.Range, p99.Range, most.Range]]);
        TailChart chart = new("kill -9 to slots back: how many kills take longer than x", "time from kill to free slots, ms");
        chart.Add("", "CuFrames", milliseconds);
        section.Chart("reclaim.svg", chart);
    }

    private static void Publish(FramePublisher publisher)
    {
        if (!publisher.TryBeginFrame(out FrameWriter writer))
        {
            throw new InvalidOperationException("A frame was dropped although the ring can grow.");
        }

        writer.Publish();
    }
}
