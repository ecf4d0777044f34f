using System.Globalization;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Running;
using CuFrames.Interop;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>What CuFrames is compared with: one ffmpeg for each camera, which decodes the same clip by NVDEC and throws away what it makes of it.</summary>
internal sealed class DecoderProcesses : IDisposable
{
    private readonly List<Peer> _processes = [];
    private readonly List<Thread> _watchers = [];
    private readonly (long Frames, long Time)[] _points;

    private DecoderProcesses(PartContext context, string clip, int count, bool isPaced, string[] inputOptions, string[] outputOptions)
    {
        _points = new (long, long)[count];
        string[] decode = context.Options.Decode == "nvdec" ? ["-hwaccel", "cuda", "-hwaccel_output_format", "cuda"] : [];
        string[] pace = isPaced ? ["-re"] : [];
        for (int i = 0; i < count; i++)
        {
            Peer process = Peer.Program(
                "ffmpeg",
                "ffmpeg",
                ["-v", "error", "-nostdin", "-stats_period", "0.1", "-progress", "pipe:1", .. pace, .. decode, .. inputOptions, "-stream_loop", "-1", "-i", clip, "-an", "-fps_mode", "passthrough", .. outputOptions, "-f", "null", "-"]);
            _processes.Add(process);
            int index = i;
            Thread watcher = new(() => Watch(index, process)) { IsBackground = true };
            _watchers.Add(watcher);
            watcher.Start();
        }
    }

    public IReadOnlyList<int> ProcessIds => [.. _processes.Select(process => process.ProcessId)];

    /// <summary>Starts them. Every one has decoded frames when this returns.</summary>
    public static DecoderProcesses Start(PartContext context, string clip, int count, bool isPaced) => StartWith(context, clip, count, isPaced, [], []);

    /// <summary>Starts them with more of their own options. Every one has given frames when this returns.</summary>
    public static DecoderProcesses StartWith(PartContext context, string clip, int count, bool isPaced, string[] inputOptions, string[] outputOptions)
    {
        DecoderProcesses processes = new(context, clip, count, isPaced, inputOptions, outputOptions);
        try
        {
            long end = Environment.TickCount64 + 60_000;
            while (processes.Mark().Any(point => point.Frames == 0))
            {
                processes.CheckAlive();
                if (Environment.TickCount64 > end)
                {
                    throw new TimeoutException($"One of {count} ffmpeg processes decoded nothing within 60 s.");
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

    /// <summary>Frames that each has decoded, and when it said so in nanoseconds.</summary>
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
