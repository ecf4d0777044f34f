using System.Globalization;
using System.Text;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Decode;

/// <summary>The daemon decoding four files as fast as it can, against ffmpeg on the same files with as many threads.</summary>
internal sealed class DecodeBenchmark : IBenchmark
{
    private const string Progress = "decode.csv";
    private const string FFmpeg = "ffmpeg";
    private const string Daemon = "daemon";
    private const string DaemonRead = "daemon-read";
    private const double Aim = 0.95;

    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(3);

    public string Name => "decode";

    public string Title => "Decoding four 1080p files: cuframesd against ffmpeg -f null";

    public void Run(RunContext context)
    {
        string daemon = Path.GetFullPath(Path.Combine(context.WorkFolder, "..", "..", "daemon", "bin", "Release", "net10.0", "cuframesd.dll"));
        if (!File.Exists(daemon))
        {
            throw new FileNotFoundException("The daemon is not built: dotnet build -c Release daemon/CuFrames.Daemon.csproj", daemon);
        }

        string[] clips = Clips.Make(context);
        TimeSpan window = TimeSpan.FromSeconds(context.Pick(8, 4));
        context.Note("seconds measured", window.TotalSeconds);
        context.Note("seconds before that", Settling.TotalSeconds);
        using StreamWriter table = context.CreateTable(Progress, "program,repetition,clip,frames,ns,cpu_ms");
        for (int repetition = 1; repetition <= context.Repetitions; repetition++)
        {
            MeasureFFmpeg(table, clips, window, repetition);
            MeasureDaemon(table, daemon, clips, window, repetition, isRead: false);
            MeasureDaemon(table, daemon, clips, window, repetition, isRead: true);
            table.Flush();
        }
    }

    public void Report(RawData raw, Section section)
    {
        Dictionary<(string Program, int Repetition), double> rates = raw.Table(Progress)
            .GroupBy(row => (row[0], int.Parse(row[1], CultureInfo.InvariantCulture)))
            .ToDictionary(group => group.Key, group => group.GroupBy(row => row[2]).Sum(Rate));
        Dictionary<(string Program, int Repetition), double> costs = raw.Table(Progress)
            .GroupBy(row => (row[0], int.Parse(row[1], CultureInfo.InvariantCulture)))
            .ToDictionary(group => group.Key, group => group.GroupBy(row => row[2]).Sum(clip => Growth(clip, 5)) / group.GroupBy(row => row[2]).Sum(clip => Growth(clip, 3)));
        int[] repetitions = [.. rates.Keys.Select(key => key.Repetition).Distinct()];
        double[] Rates(string program) => [.. repetitions.Select(repetition => rates[(program, repetition)])];
        double[] Ratios(string program) => [.. repetitions.Select(repetition => rates[(program, repetition)] / rates[(FFmpeg, repetition)])];

        Figure Cost(string program, string name) => section.Add(new Figure(
            $"CPU time per decoded frame, {name}", "ms", [.. repetitions.Select(repetition => costs[(program, repetition)])]));
        Figure CostRatio(string program, string name) => section.Add(new Figure(
            $"ffmpeg over {name}, CPU time per decoded frame", "×", [.. repetitions.Select(repetition => costs[(FFmpeg, repetition)] / costs[(program, repetition)])]));

        section.Text(
            $"{raw.Parameters.GetValueOrDefault("clips")}; all four at once, one decoding thread each. ffmpeg: four processes with `-threads 1 -f null`, which throws the decoded " +
            "frame away and copies nothing. cuframesd: one process with four cameras, `paced: false`, lossless off; it copies every frame into its ring and publishes it. " +
            "With a reader: one more process that takes every newest frame of all four streams. Frames per second are the sum of the four.");
        Figure ffmpeg = section.Add(new Figure("ffmpeg, four files", "fps", Rates(FFmpeg)));
        Figure daemon = section.Add(new Figure("cuframesd, four files, no reader", "fps", Rates(Daemon)));
        Figure read = section.Add(new Figure("cuframesd, four files, one reader process", "fps", Rates(DaemonRead)));
        Figure ratio = section.Add(new Figure("cuframesd over ffmpeg, frames per second, no reader", "×", Ratios(Daemon)) with { Aim = Aim });
        Figure readRatio = section.Add(new Figure("cuframesd over ffmpeg, frames per second, one reader process", "×", Ratios(DaemonRead)));
        section.Table(
            ["program", "frames per second", "ratio to ffmpeg", "CPU per frame, ms", "ffmpeg's CPU over its own"],
            [
                ["ffmpeg -f null", ffmpeg.Range, "", Cost(FFmpeg, "ffmpeg").Range, ""],
                ["cuframesd, no reader", daemon.Range, ratio.Range, Cost(Daemon, "cuframesd, no reader").Range, CostRatio(Daemon, "cuframesd, no reader").Range],
                ["cuframesd, one reader process", read.Range, readRatio.Range, Cost(DaemonRead, "cuframesd, one reader process").Range, CostRatio(DaemonRead, "cuframesd, one reader process").Range],
            ]);
        BarChart chart = new("Four 1080p H.264 files at once, decoded as fast as it goes", "fps");
        chart.Add("cuframesd, no reader", "CuFrames", daemon);
        chart.Add("cuframesd, one reader process", "CuFrames", read);
        chart.Add("ffmpeg -f null", "ffmpeg", ffmpeg);
        section.Chart("decode.svg", chart);
    }

    private static double Rate(IEnumerable<string[]> rows) => Growth(rows, 3) / Growth(rows, 4) * 1e9;

    private static double Growth(IEnumerable<string[]> rows, int column)
    {
        double[] values = [.. rows.Select(row => double.Parse(row[column], CultureInfo.InvariantCulture))];
        return values.Max() - values.Min();
    }

    private static void MeasureFFmpeg(StreamWriter table, string[] clips, TimeSpan window, int repetition)
    {
        Peer[] programs = [.. clips.Select(clip => Peer.Program(
            FFmpeg, FFmpeg, "-v", "error", "-nostdin", "-stats_period", "0.1", "-progress", "pipe:1",
            "-threads", "1", "-i", clip, "-an", "-fps_mode", "passthrough", "-f", "null", "-"))];
        long first = MonotonicClock.NowNanoseconds + (Settling.Ticks * 100);
        long last = first + (window.Ticks * 100);
        List<(int Clip, string Frames, long Time, double Cpu)> points = [];
        string? failure = null;
        Thread[] watchers = [.. programs.Index().Select(program => new Thread(() => Watch(program.Index, program.Item)))];
        foreach (Thread watcher in watchers)
        {
            watcher.Start();
        }

        foreach (Thread watcher in watchers)
        {
            watcher.Join();
        }

        foreach (Peer program in programs)
        {
            program.Dispose();
        }

        foreach (IGrouping<int, (int Clip, string Frames, long Time, double Cpu)> clip in points.GroupBy(point => point.Clip))
        {
            foreach ((_, string frames, long time, double cpu) in new[] { clip.First(), clip.Last() })
            {
                table.WriteLine($"{FFmpeg},{repetition},{clip.Key},{frames},{time},{cpu}");
            }
        }

        if (failure is not null || points.GroupBy(point => point.Clip).Count(clip => clip.Count() > 1) != clips.Length)
        {
            throw new InvalidOperationException(failure ?? "ffmpeg did not report progress on every file.");
        }

        void Watch(int clip, Peer program)
        {
            // ffmpeg says "frame=N" ten times a second.
            while (program.ReadLine() is { } line)
            {
                long now = MonotonicClock.NowNanoseconds;
                if (now > last)
                {
                    return;
                }

                if (now >= first && line.StartsWith("frame=", StringComparison.Ordinal))
                {
                    double cpu = CpuTimes.ReadMilliseconds(program.ProcessId);
                    lock (points)
                    {
                        points.Add((clip, line[6..].Trim(), now, cpu));
                    }
                }
            }

            // What follows would be measured with fewer files at once.
            Volatile.Write(ref failure, $"ffmpeg came to the end of file {clip + 1} before the measurement was over. {program.Errors}");
        }
    }

    private static void MeasureDaemon(StreamWriter table, string daemon, string[] clips, TimeSpan window, int repetition, bool isRead)
    {
        using TemporaryDirectory directory = new();
        StringBuilder configuration = new($"directory: {directory.Path}\ncameras:\n");
        string[] keys = [.. clips.Index().Select(clip => $"clip-{clip.Index + 1}")];
        foreach ((string key, string clip) in keys.Zip(clips))
        {
            configuration.Append(CultureInfo.InvariantCulture, $"  {key}:\n    source: {clip}\n    paced: false\n    loop: true\n    decode_threads: 1\n");
        }

        string file = Path.Combine(directory.Path, "cuframes.yaml");
        File.WriteAllText(file, configuration.ToString());

        // The daemon does not watch its standard input: this ends it if the benchmark itself is killed.
        using Peer program = Peer.Program("cuframesd", "timeout", "120", "dotnet", daemon, "--config", file);
        FrameSubscriber[] subscribers = [.. keys.Select(key => Connect(key, directory.Path, program))];
        Peer? reader = isRead ? Peer.Start(PeerRoles.DecodeReader, [directory.Path, .. keys]) : null;
        reader?.Expect("READY");
        Thread.Sleep(Settling);
        Record();

        // Nobody takes a frame meanwhile but the reader, if there is one.
        Thread.Sleep(window);
        Record();
        reader?.Send("END");
        reader?.WaitForEnd();
        reader?.Dispose();
        foreach (FrameSubscriber subscriber in subscribers)
        {
            subscriber.Dispose();
        }

        program.Signal(15);
        program.WaitForEnd();

        void Record()
        {
            // The whole process's time stands with the first file.
            double cpu = CpuTimes.ReadMilliseconds(program.ProcessId);
            foreach ((int clip, FrameSubscriber subscriber) in subscribers.Index())
            {
                using Frame frame = subscriber.Next(TimeSpan.FromSeconds(5));
                table.WriteLine($"{(isRead ? DaemonRead : Daemon)},{repetition},{clip},{frame.Sequence},{frame.Metadata.PublishTime},{(clip == 0 ? cpu : 0)}");
            }
        }
    }

    private static FrameSubscriber Connect(string key, string directory, Peer program)
    {
        FrameSubscriber subscriber = FrameSubscriber.Connect(key, new SubscriberOptions { Directory = directory, WaitForStream = true });
        try
        {
            subscriber.Next(TimeSpan.FromSeconds(20)).Dispose();
            return subscriber;
        }
        catch (Exception error)
        {
            subscriber.Dispose();
            throw new InvalidOperationException($"The daemon publishes nothing as '{key}': {error.Message} {program.Errors}", error);
        }
    }
}
