using System.Globalization;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Running;
using CuFrames.Interop;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>
/// ffmpeg processes that say how many frames they have given. What CuFrames is compared with: one for each camera, which decodes the same clip by NVDEC and
/// throws away what it makes of it.
/// </summary>
internal sealed class FfmpegProcesses : IDisposable
{
    private readonly List<Peer> _processes = [];
    private readonly List<Thread> _watchers = [];
    private readonly (long Frames, long Time)[] _points;

    private FfmpegProcesses(IReadOnlyList<string[]> commands)
    {
        _points = new (long, long)[commands.Count];
        foreach ((int index, string[] command) in commands.Index())
        {
            Peer process = Peer.Program("ffmpeg", command[0], command[1..]);
            _processes.Add(process);
            Thread watcher = new(() => Watch(index, process)) { IsBackground = true };
            _watchers.Add(watcher);
            watcher.Start();
        }
    }

    /// <summary>The options by which ffmpeg reports as is expected here; they come first.</summary>
    public static string[] Reporting { get; } = ["-v", "error", "-nostdin", "-stats_period", "0.1", "-progress", "pipe:1"];

    public IReadOnlyList<int> ProcessIds => [.. _processes.Select(process => process.ProcessId)];

    /// <summary>Starts them. Every one has decoded frames when this returns.</summary>
    public static FfmpegProcesses Start(PartContext context, string clip, int count, bool isPaced) => StartWith(context, clip, count, isPaced, [], []);

    /// <summary>Starts them with more of their own options. Every one has given frames when this returns.</summary>
    public static FfmpegProcesses StartWith(PartContext context, string clip, int count, bool isPaced, string[] inputOptions, string[] outputOptions)
    {
        string[] decode = context.Options.Decode == "nvdec" ? ["-hwaccel", "cuda", "-hwaccel_output_format", "cuda"] : [];
        string[] pace = isPaced ? ["-re"] : [];
        string[] command =
            ["ffmpeg", .. Reporting, .. pace, .. decode, .. inputOptions, "-stream_loop", "-1", "-i", clip, "-an", "-fps_mode", "passthrough", .. outputOptions, "-f", "null", "-"];
        return StartAll([.. Enumerable.Repeat(command, count)]);
    }

    /// <summary>Starts commands. Every one has given frames when this returns.</summary>
    /// <param name="commands">Of each the program, <see cref="Reporting"/> and the rest of its options.</param>
    public static FfmpegProcesses StartAll(IReadOnlyList<string[]> commands)
    {
        FfmpegProcesses processes = new(commands);
        try
        {
            long end = Environment.TickCount64 + 60_000;
            while (processes.Mark().Any(point => point.Frames == 0))
            {
                processes.CheckAlive();
                if (Environment.TickCount64 > end)
                {
                    throw new TimeoutException($"One of {commands.Count} ffmpeg processes gave nothing within 60 s.");
                }

                // ffmpeg reports ten times a second.
                Thread.Sleep(50);
            }

            return processes;
        }
        catch
        {
            processes.Dispose();
            throw;
        }
    }

    /// <summary>Frames that each has given, and when it said so in nanoseconds.</summary>
    public (long Frames, long Time)[] Mark()
    {
        lock (_points)
        {
            return [.. _points];
        }
    }

    /// <summary>Throws if one of them has ended: the others would have the device to themselves.</summary>
    public void CheckAlive()
    {
        if (_processes.Find(process => process.HasExited) is { } ended)
        {
            throw new InvalidOperationException($"ffmpeg ended before the measurement was over. {ended.Errors.Trim()}");
        }
    }

    public void Dispose()
    {
        foreach (Peer process in _processes)
        {
            process.Kill();
        }

        foreach (Thread watcher in _watchers)
        {
            watcher.Join();
        }

        foreach (Peer process in _processes)
        {
            process.Dispose();
        }
    }

    private void Watch(int index, Peer process)
    {
        // Lines of "name=value", "frame=N" among them.
        while (process.ReadLine() is { } line)
        {
            if (line.StartsWith("frame=", StringComparison.Ordinal) && long.TryParse(line.AsSpan(6).Trim(), CultureInfo.InvariantCulture, out long frames))
            {
                lock (_points)
                {
                    _points[index] = (frames, MonotonicClock.NowNanoseconds);
                }
            }
        }
    }
}
