using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Device;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.OnDemand;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.Interop;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>Cameras that decode while somebody reads: what they hold while nobody does, and how soon a reader has a frame.</summary>
internal sealed class OnDemandPart : IPart
{
    private const double Aim = 150;
    private const int Samples = 50;

    // A camera is idle again 5 s after its reader has left; it is its turn again after more than that.
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(6.5);

    public string Name => "on-demand";

    public void Run(PartContext context)
    {
        int cameras = context.Options.Cameras[^1];
        string clip = BenchClips.FindLong(context, "h264");
        DecoderAudit audit = new(context.WorkFolder);
        using CudaContext own = context.Device.OpenContext();
        double free = DeviceMemory.WaitUntilSettled(context.Device, own);

        // The last one always decodes.
        using CameraDaemon daemon = CameraDaemon.StartWith(
            context, clip, cameras + 1, camera => $"decode: [{context.Options.Decode}, {(camera > cameras ? "always" : "on-demand")}]", audit.Environment);
        using Peer reader = Peer.Start(PeerRoles.FirstFrameReader, daemon.Directory);
        reader.Expect("READY");
        WakeRounds rounds = new(daemon.Directory, [.. daemon.Keys.Take(cameras)], daemon.Keys[^1], reader);
        rounds.WaitUntilIdle();
        double idleMemory = DeviceMemory.Used(context.Device, own) - free;
        rounds.WarmUp();
        rounds.WaitUntilIdle();

        // One of them is the camera that always decodes.
        long idleDecoders = audit.Read().Open - 1;
        List<WakeSample> samples = [];
        using (StreamWriter table = context.CreateTable("on-demand.csv", WakeSample.Header))
        {
            foreach (WakeSample sample in rounds.Take(context.Options.Scale(Samples), Turn / cameras))
            {
                table.WriteLine(sample);
                samples.Add(sample);
            }
        }

        context.Report.Set("on_demand", new JsonObject
        {
            ["cameras"] = cameras,
            ["samples"] = samples.Count / 2,
            ["decoders_while_idle"] = idleDecoders,
            ["idle_vram_mib"] = BenchReport.Round(idleMemory),
            ["on_demand"] = Figures(samples.Where(sample => sample.IsOnDemand)),
            ["always"] = Figures(samples.Where(sample => !sample.IsOnDemand)),
        });
    }

    public void Print(BenchReport report, TextWriter output)
    {
        if (report["on_demand"] is not { } figures)
        {
            return;
        }

        output.WriteLine(FormattableString.Invariant(
            $"\nFrom subscribe to the first frame in ms, 2 s between key frames, {(int)figures["samples"]!} readers each, aim {Aim}; decoders of {(int)figures["cameras"]!} idle cameras: {(long)figures["decoders_while_idle"]!}, aim 0"));
        output.WriteLine($"{"camera",-12} {"p50",8} {"p99",8} {"most",8}   {"its age p50",12}   {"to one of after that, p50",26} {"p99",8}");
        foreach (string name in (string[])["on_demand", "always"])
        {
            JsonNode row = figures[name]!;
            output.WriteLine(FormattableString.Invariant(
                $"{name.Replace('_', '-'),-12} {(double)row["first_p50_ms"]!,8:0.0} {(double)row["first_p99_ms"]!,8:0.0} {(double)row["first_most_ms"]!,8:0.0}   {(double)row["age_p50_ms"]!,12:0.0}   {(double)row["live_p50_ms"]!,26:0.0} {(double)row["live_p99_ms"]!,8:0.0}"));
        }
    }

    private static JsonObject Figures(IEnumerable<WakeSample> samples)
    {
        WakeSample[] all = [.. samples];
        double[] Times(Func<WakeSample, long> time) => [.. all.Select(sample => time(sample) / 1e6)];
        double[] first = Times(sample => sample.First);
        double[] live = Times(sample => sample.Live);
        return new JsonObject
        {
            ["first_p50_ms"] = BenchReport.Round(Statistics.Percentile(first, 0.5)),
            ["first_p99_ms"] = BenchReport.Round(Statistics.Percentile(first, 0.99)),
            ["first_most_ms"] = BenchReport.Round(first.Max()),
            ["age_p50_ms"] = BenchReport.Round(Statistics.Percentile(Times(sample => sample.Age), 0.5)),
            ["live_p50_ms"] = BenchReport.Round(Statistics.Percentile(live, 0.5)),
            ["live_p99_ms"] = BenchReport.Round(Statistics.Percentile(live, 0.99)),
        };
    }
}
