using System.Diagnostics;
using System.Globalization;
using CuFrames.Benchmarks.Decode;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Renditions;

/// <summary>What small RGB pictures of a camera cost, made once for all who want them or by each of them.</summary>
internal sealed class RenditionsBenchmark : IBenchmark
{
    private const string Nobody = "nobody";
    private const string Rendition = "rendition";
    private const string Own = "own";
    private const string FFmpeg = "ffmpeg";
    private const int Width = 640;
    private const int Height = 360;
    private static readonly int[] Readers = [1, 4];
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    public string Name => "renditions";

    public string Title => "A 640x360 RGB picture of a 1080p camera: made once, or by each reader";

    public void Run(RunContext context)
    {
        string clip = Clips.MakeWithKeyFrames(context);
        TimeSpan window = TimeSpan.FromSeconds(context.Pick(8, 3));
        context.Note("seconds measured", window.TotalSeconds);
        for (int repetition = 1; repetition <= context.Repetitions; repetition++)
        {
            MeasureDaemon(context, clip, window, Nobody, 0, repetition);
            foreach (int readers in Readers)
            {
                MeasureDaemon(context, clip, window, Rendition, readers, repetition);
                MeasureDaemon(context, clip, window, Own, readers, repetition);
                MeasureFFmpeg(context, clip, window, readers, repetition);
            }
        }
    }

    public void Report(RawData raw, Section section)
    {
        section.Text(
            $"One camera of 1080p H.264 at 25 frames per second, decoded in software; readers want each frame as {Width}x{Height} rgb24. Rendition: cuframesd makes it once, readers take it. " +
            "Own scaling: each reader takes the camera's frame and scales it by the same libswscale in its own process. ffmpeg: each reader is a process of ffmpeg that decodes and scales for itself. CPU time is user and " +
            $"system time of all processes, cuframesd's decoding included, for each frame of the camera, over {raw.Parameters["seconds measured"]} s.");
        Figure nobody = section.Add(new Figure("CPU per frame, nobody reads the rendition", "ms", raw.Values(Nobody, "all")));
        List<string[]> rows = [["nobody reads", nobody.Range, ""]];
        BarChart chart = new("CPU time for each frame of a 1080p camera, all processes", "ms");
        foreach (int readers in Readers)
        {
            double[] shared = raw.Values(CaseOf(Rendition, readers), "all");
            foreach ((string way, string name) in (ReadOnlySpan<(string, string)>)[(Rendition, "rendition"), (Own, "own scaling"), (FFmpeg, "own ffmpeg")])
            {
                double[] all = raw.Values(CaseOf(way, readers), "all");
                string count = readers == 1 ? "1 reader" : $"{readers} readers";
                Figure cost = section.Add(new Figure($"CPU per frame, {name}, {count}", "ms", all));
                string ratio = way == Rendition ? "" : section.Add(new Figure($"{name} over rendition, CPU per frame, {count}", "×", [.. all.Zip(shared, (own, one) => own / one)])).Range;
                rows.Add([$"{name}, {count}", cost.Range, ratio]);
                chart.Add(count, name, cost);
            }
        }

        section.Table(["way", "all processes, ms per frame", "over rendition"], rows);
        double[] daemon = raw.Values(CaseOf(Rendition, 1), "daemon");
        double[] idle = raw.Values(Nobody, "daemon");
        Figure making = section.Add(new Figure("CPU of a rendition in the daemon, per frame", "ms", [.. daemon.Zip(idle, (with, without) => with - without)]));
        Figure taking = section.Add(new Figure(
            "CPU of a reader of a rendition, per frame", "ms", [.. raw.Values(CaseOf(Rendition, 4), "readers").Select(readers => readers / 4)]));
        section.Text($"The rendition itself costs {making.Range} ms of the daemon's time per frame; each of its 4 readers {taking.Range} ms, which is waking up and taking the frame.");
        section.Chart("renditions.svg", chart);
    }

    private static string CaseOf(string way, int readers) => $"{way}, {readers}";

    private static void MeasureDaemon(RunContext context, string clip, TimeSpan window, string way, int readers, int repetition)
    {
        using TemporaryDirectory directory = new();
        string file = Path.Combine(directory.Path, "cuframes.yaml");
        File.WriteAllText(file, $$"""
            directory: {{directory.Path}}
            cameras:
              camera:
                source: {{clip}}
                loop: true
                decode_threads: 1
                renditions: { small: { size: {{Width}}x{{Height}}, format: rgb24 } }

            """);

        // The daemon does not watch its standard input: this ends it if the benchmark itself is killed.
        using Peer daemon = Peer.Program("cuframesd", "timeout", "120", context.DaemonProgram, "--config", file);
        if (!daemon.WaitForError("] camera: Frames of ", seconds: 30))
        {
            throw new InvalidOperationException($"The camera delivers nothing. {daemon.Errors}");
        }

        List<Peer> peers = [];
        try
        {
            for (int reader = 0; reader < readers; reader++)
            {
                peers.Add(Peer.Start(PeerRoles.RenditionReader, directory.Path, way == Own ? "camera" : "camera@small", way == Own ? RenditionPeers.Scale : RenditionPeers.Take, Width, Height));
                peers[^1].Expect("READY");
            }

            Thread.Sleep(Settling);
            (double Daemon, double Readers, long Frames, double Time) first = Look();
            Thread.Sleep(window);
            (double Daemon, double Readers, long Frames, double Time) last = Look();

            // Without a reader frames are those that the clip has in that time.
            double frames = readers > 0 ? (last.Frames - first.Frames) / (double)readers : (last.Time - first.Time) * 25;
            double ofDaemon = (last.Daemon - first.Daemon) / frames;
            double ofReaders = (last.Readers - first.Readers) / frames;
            context.Add(way == Nobody ? Nobody : CaseOf(way, readers), repetition, ("all", ofDaemon + ofReaders), ("daemon", ofDaemon), ("readers", ofReaders), ("frames", frames));
        }
        finally
        {
            peers.ForEach(peer => peer.Dispose());
        }

        daemon.Signal(15);
        daemon.WaitForEnd();

        (double, double, long, double) Look()
        {
            double time = Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
            long frames = peers.Sum(peer =>
            {
                peer.Send("MARK");
                return long.Parse(peer.Expect("FRAMES")[0], CultureInfo.InvariantCulture);
            });
            return (CpuTimes.ReadMilliseconds(daemon.ProcessId), peers.Sum(peer => CpuTimes.ReadMilliseconds(peer.ProcessId)), frames, time);
        }
    }

    private static void MeasureFFmpeg(RunContext context, string clip, TimeSpan window, int readers, int repetition)
    {
        List<Peer> peers = [];
        try
        {
            for (int reader = 0; reader < readers; reader++)
            {
                peers.Add(Peer.Program(
                    FFmpeg, FFmpeg, "-v", "error", "-nostdin", "-threads", "1", "-re", "-stream_loop", "-1", "-i", clip, "-an", "-vf",
                    $"scale={Width}:{Height}:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp", "-pix_fmt", "rgb24", "-f", "rawvideo", "-y", "/dev/null"));
            }

            Thread.Sleep(Settling);
            double begin = Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
            double first = peers.Sum(peer => CpuTimes.ReadMilliseconds(peer.ProcessId));
            Thread.Sleep(window);
            double last = peers.Sum(peer => CpuTimes.ReadMilliseconds(peer.ProcessId));

            // -re keeps it at the clip's own rate.
            double frames = ((Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency) - begin) * 25;
            if (peers.Find(peer => peer.HasExited) is { } ended)
            {
                throw new InvalidOperationException($"ffmpeg ended before the measurement was over. {ended.Errors}");
            }

            context.Add(CaseOf(FFmpeg, readers), repetition, ("all", (last - first) / frames), ("frames", frames));
        }
        finally
        {
            peers.ForEach(peer => peer.Dispose());
        }
    }
}
