using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Gpu.Reclaim;

/// <summary>From SIGKILL of a GPU reader that holds its full quota of 1080p frames until the publisher has the slots again.</summary>
internal sealed class ReclaimPart : IPart
{
    private const string Key = "reclaim";
    private const int Kills = 100;

    // Readers that are started ahead, so that nobody waits for a CUDA context to come up.
    private const int Ahead = 4;

    public string Name => "reclaim";

    public void Run(PartContext context)
    {
        int kills = context.Options.Scale(Kills);
        using StreamWriter table = context.CreateTable("reclaim.csv", "kill,held,ns");
        using TemporaryDirectory directory = new();
        using BlockingCollection<long> gone = [];
        using CudaContext cuda = context.Device.OpenContext();
        PublisherOptions options = new()
        {
            Directory = directory.Path,
            Memory = context.Options.Memory == "cuda" ? FrameMemory.Cuda : FrameMemory.CudaIpc,
            Cuda = cuda,
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
        using CudaStream stream = CudaStream.Create(cuda);
        Queue<Peer> readers = [];
        List<double> milliseconds = [];
        for (int kill = 1; kill <= kills; kill++)
        {
            while (readers.Count < Math.Min(Ahead, kills - kill + 1))
            {
                readers.Enqueue(Peer.Start(PeerRoles.HoldingReader, Key, directory.Path, quota));
            }

            using Peer reader = readers.Dequeue();
            string granted = reader.Expect("READY")[0];
            reader.Send("GO");
            for (int frame = 0; frame < quota; frame++)
            {
                Publish(publisher, stream);
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
            milliseconds.Add((free - killed) / 1e6);
            reader.WaitForDeath();
        }

        context.Report.Set("reclaim_ms", new JsonObject
        {
            ["p50"] = BenchReport.Round(Statistics.Percentile(milliseconds, 0.5)),
            ["p99"] = BenchReport.Round(Statistics.Percentile(milliseconds, 0.99)),
            ["most"] = BenchReport.Round(milliseconds.Max()),
            ["kills"] = kills,
            ["held"] = quota,
        });
        TailChart chart = new("kill -9 of a GPU reader to slots back: how many kills take longer than x", "time from kill to free slots, ms");
        chart.Add("", "CuFrames", milliseconds);
        context.WritePlot("reclaim.svg", chart.Render());
    }

    public void Print(BenchReport report, TextWriter output)
    {
        if (report["reclaim_ms"] is { } figures)
        {
            output.WriteLine(FormattableString.Invariant(
                $"\nkill -9 of a GPU reader to slots back, {(int)figures["kills"]!} kills: p50 {(double)figures["p50"]!} ms, p99 {(double)figures["p99"]!} ms, most {(double)figures["most"]!} ms. Aim: below 20 ms"));
        }
    }

    private static void Publish(FramePublisher publisher, CudaStream stream)
    {
        if (!publisher.TryBeginFrame(out FrameWriter writer))
        {
            throw new InvalidOperationException("A frame was dropped although the ring can grow.");
        }

        writer.Publish(stream);
    }
}
