using System.Globalization;
using System.Text.Json;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Demo.Internal;

/// <summary>
/// The demo: an RTSP server with a clip, the daemon with that camera and a test pattern, three readers, one more that is killed while it holds
/// frames, a snapshot, and a recorder and two stock ffmpegs beside them, all of one connection to the camera. Every process that it starts ends with it.
/// </summary>
internal sealed class Show : IDisposable
{
    private const string Camera = "front";
    private const string Pattern = "pattern";
    private static readonly string[] Keys = [Camera, Pattern];
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(500);

    /// <summary>Refreshes over which a rate is measured.</summary>
    private const int RateIntervals = 4;

    /// <summary>How long the RTSP server plays beyond the time asked for; with --keep the daemon connects again at the end.</summary>
    private const int SpareSeconds = 600;

    private readonly string _repository;
    private readonly bool _json;
    private readonly Stage _stage;
    private readonly CancellationToken _cancellation;
    private readonly string _folder = Directory.CreateTempSubdirectory("cuframes-demo-").FullName;
    private readonly string _directory;
    private readonly List<ChildProcess> _children = [];
    private readonly List<ReaderProcess> _readers = [];
    private readonly List<string> _problems = [];
    private readonly Guests _guests = new(Camera);
    private ChildProcess? _server;
    private ChildProcess? _daemon;
    private IReadOnlyList<StreamProbe> _first = [];
    private List<StreamReport> _streams = [];
    private double? _reclaimMilliseconds;
    private string? _snapshot;

    public Show(string repository, bool json, CancellationToken cancellation)
    {
        _repository = Path.GetFullPath(repository);
        _json = json;
        _cancellation = cancellation;
        _stage = new Stage(json);
        _directory = Path.Combine(_folder, "run");

        // Our own probes look there too.
        Environment.SetEnvironmentVariable("CUFRAMES_DIR", _directory);
    }

    /// <summary>Plays the whole demo.</summary>
    /// <param name="seconds">How long frames are read.</param>
    /// <param name="keep">Whether to go on until an interruption.</param>
    /// <returns>The exit code.</returns>
    public int Run(int seconds, bool keep)
    {
        try
        {
            StartStreams(seconds);
            StartReaders();
            StartGuests(seconds);
            Play(seconds, keep);
            Stop(keep);
        }
        catch (OperationCanceledException)
        {
            throw;
        }
        catch (Exception error) when (error is CuFramesException or IOException or InvalidOperationException)
        {
            _problems.Add(error.Message);
        }

        DemoResult result = Conclude();
        foreach (string problem in _problems)
        {
            Console.Error.WriteLine($"demo: {problem}");
        }

        if (_json)
        {
            JsonLine.Write(result);
        }
        else
        {
            _stage.Summarize(_streams, _readers);
            _stage.Say(result.Ok ? "Everything was as it must be." : "Something was not as it must be; see above.");
        }

        return result.Ok ? ExitCode.Success : ExitCode.Error;
    }

    public void Dispose()
    {
        _children.ForEach(child => child.Dispose());
        Directory.Delete(_folder, recursive: true);
    }

    private string ProgramOf(string folder, string name) => Path.Combine(_repository, folder, "bin", "Release", "net10.0", name);

    private ChildProcess Start(string name, string program, params string[] arguments)
    {
        ChildProcess child = new(name, _directory, program, arguments);
        lock (_children)
        {
            _children.Add(child);
        }

        return child;
    }

    private void StartStreams(int seconds)
    {
        _stage.Say("Making a clip with ffmpeg: H.264, 1280x720, 25 frames per second.");
        string clip = Path.Combine(_folder, "clip.mp4");
        ReferenceClip.Make(clip);

        // Debian's own interpreter: python3-gi belongs to it, not to whatever python3 comes first in PATH.
        _server = Start(
            "The RTSP server", "/usr/bin/python3", Path.Combine(AppContext.BaseDirectory, "rtsp_server.py"), clip,
            "--repeat-seconds", (seconds + SpareSeconds).ToString(CultureInfo.InvariantCulture));
        string url = JsonDocument.Parse(_server.NextLine(StartTimeout, _cancellation)).RootElement.GetProperty("url").GetString()!;
        _stage.Say($"The camera is a real RTSP server: {url}");

        string configuration = Path.Combine(_folder, "cuframes.yaml");
        File.WriteAllText(configuration, $"""
            taps:
              http: {_guests.Http}
            cameras:
              {Camera}:
                source: {url}
                {Guests.Renditions}
              {Pattern}:
                source: test:nv12@1280x720@25

            """);
        _daemon = Start("cuframesd", ProgramOf("daemon", "cuframesd"), "--config", configuration, "--directory", _directory);
        WaitUntilLive();
        StreamDescription camera = StreamProbe.Ask(Camera).Info.Description!;
        int pictures = ReferenceClip.WriteHashes(clip, camera, Path.Combine(_folder, "pictures"));
        _stage.Say($"cuframesd publishes {Camera}, connected and decoded once, and {Pattern}.");
        _stage.Say($"ffmpeg decoded the clip too: {pictures} pictures to compare with.");
    }

    private void WaitUntilLive()
    {
        long deadline = MonotonicClock.NowNanoseconds + (StartTimeout.Ticks * 100);
        while (true)
        {
            List<StreamInfo> streams = [.. Keys.Select(key => StreamDirectory.Probe(key))];
            if (streams.TrueForAll(stream => stream.Description is { State: StreamState.Live }))
            {
                return;
            }

            RequireRunning(_daemon!);
            if (MonotonicClock.NowNanoseconds > deadline)
            {
                string states = string.Join("; ", streams.Select(stream => $"{stream.Key}: {stream.Description?.State.ToString() ?? stream.Error} {stream.StateText}"));
                throw new InvalidOperationException($"The streams were not live within {StartTimeout.TotalSeconds} s: {states}\n{_daemon!.Errors}");
            }

            Pause(TimeSpan.FromMilliseconds(50));
        }
    }

    private void StartReaders()
    {
        string self = Environment.ProcessPath!;
        string pictures = Path.Combine(_folder, "pictures");
        void Add(string name, string key, string what, params string[] arguments) =>
            _readers.Add(new ReaderProcess(name, key, what, Start(name, self, ["reader", key, .. arguments])));
        Add("front-newest", Camera, "newest frame, at once", "--pictures", pictures);
        // Longer than the six slots of a ring last at 25 frames per second: without its lease every frame would be overwritten while it is held.
        Add("front-slow", Camera, "holds each frame 300 ms", "--pictures", pictures, "--hold", "300");
        Add("pattern-all", Pattern, "every frame, in order", "--delivery", "in-order");
        foreach (ReaderProcess reader in _readers)
        {
            _ = reader.Process.NextLine(StartTimeout, _cancellation);
        }

        _stage.Say("Three readers run, each a process of its own.");
        _stage.Say("Every byte of every frame is compared, when it is taken and before it is released.");
    }

    private void StartGuests(int seconds)
    {
        // They are done before the readers are.
        _guests.Start(Start, ProgramOf("cli", "cuframes"), _directory, Path.Combine(_repository, "artifacts", "demo"), Math.Max(1, seconds - 4));
        _stage.Say("A recorder and two stock ffmpegs take part: one copies the packets, one reads small pictures for a detector.");
        _stage.Say($"A browser can, too: http://{_guests.Http}/{Camera}.mjpeg; http://{_guests.Http}/ lists all that there is.");
    }

    private void Play(int seconds, bool keep)
    {
        _first = StreamProbe.Ask(Keys);
        long started = MonotonicClock.NowNanoseconds;
        Task script = Task.Run(() => Script(TimeSpan.FromSeconds(seconds / 4.0)));
        _stage.WithTable(() =>
        {
            // Rates over half a second would jump by a frame or two.
            Queue<IReadOnlyList<StreamProbe>> earlier = new([_first]);
            while (true)
            {
                Pause(Refresh, isEnd: keep);
                IReadOnlyList<StreamProbe> now = StreamProbe.Ask(Keys);
                List<StreamReport> shown = Pair(now, earlier.Count > RateIntervals ? earlier.Dequeue() : earlier.Peek());
                earlier.Enqueue(now);
                _streams = shown;
                TimeSpan elapsed = TimeSpan.FromTicks((MonotonicClock.NowNanoseconds - started) / 100);
                _stage.Show(elapsed, shown, _readers);
                RequireRunning(_daemon!);
                _readers.ForEach(reader => RequireRunning(reader.Process));
                if (script.IsCompleted && (script.IsFaulted || _cancellation.IsCancellationRequested || (!keep && elapsed.TotalSeconds >= seconds)))
                {
                    return;
                }
            }
        });
        script.GetAwaiter().GetResult();
    }

    /// <summary>What happens while the readers read.</summary>
    private void Script(TimeSpan beat)
    {
        Pause(beat);
        ChildProcess holder = Start("The holder", Environment.ProcessPath!, "holder", Pattern);
        string held = holder.NextLine(StartTimeout, _cancellation);
        _stage.Say($"A fourth reader holds {held} frames of {Pattern} and does not let go: the ring grew for it.");
        Pause(beat / 2);
        _reclaimMilliseconds = Reclaim(holder);
        _stage.Say(string.Create(CultureInfo.InvariantCulture, $"It was killed with SIGKILL. The publisher had its slots back after {_reclaimMilliseconds:0.00} ms."));
        Pause(beat / 2);
        _snapshot = TakeSnapshot();
        _stage.Say($"A snapshot of {Camera}: {_snapshot}");
    }

    /// <summary>
    /// Kills a process that holds frames and measures until the publisher has them back.
    /// </summary>
    /// <remarks>
    /// Measured from outside, with nothing but the protocol: the publisher is asked for the stream's description again and again until it counts one
    /// subscriber less. It counts those whose pages it scans for leases, so from that answer on no lease of the dead process stands in its way. The
    /// time begins before the signal is sent and ends when the answer has come: the kernel's clearing up and one question are in it.
    /// </remarks>
    private static double Reclaim(ChildProcess holder)
    {
        int before = StreamProbe.Ask(Pattern).Info.Description!.Subscribers;
        long killed = MonotonicClock.NowNanoseconds;
        holder.Kill();
        while (true)
        {
            StreamProbe probe = StreamProbe.Ask(Pattern);
            if (probe.Info.Description is { } description && description.Subscribers < before)
            {
                return Math.Round((probe.Time - killed) / 1e6, 2);
            }

            if (probe.Time - killed > StopTimeout.Ticks * 100)
            {
                throw new InvalidOperationException($"The publisher of {Pattern} did not take the slots of a killed reader back within {StopTimeout.TotalSeconds} s.");
            }
        }
    }

    private string TakeSnapshot()
    {
        string folder = Path.Combine(_repository, "artifacts", "demo");
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"snapshot-{DateTime.Now:yyyyMMdd-HHmmss}-{Environment.ProcessId}.png"));
        ChildProcess snapshot = Start("cuframes snapshot", ProgramOf("cli", "cuframes"), "snapshot", Camera, path);
        return snapshot.Finish(StopTimeout) ? path : throw new InvalidOperationException($"cuframes snapshot failed. {snapshot.Errors}");
    }

    private void Stop(bool keep)
    {
        IReadOnlyList<StreamProbe> last = StreamProbe.Ask(Keys);
        _streams = Pair(last, _first);
        foreach (ReaderProcess reader in _readers.Where(reader => !reader.Process.Finish(StopTimeout)))
        {
            _problems.Add($"{reader.Name} did not end as it should. {reader.Process.Errors}");
        }

        _problems.AddRange(_guests.Finish(StopTimeout));
        _stage.Say($"What the recorder and the two ffmpegs wrote:\n{_guests.Describe()}");
        int connections = _server!.TakeLines().Select(line => JsonDocument.Parse(line).RootElement)
            .Max(line => line.TryGetProperty("connections", out JsonElement count) ? count.GetInt32() : 0);
        _stage.Say(string.Create(CultureInfo.InvariantCulture, $"Connections to the camera, as the RTSP server counts them: {connections}."));

        // One that is kept for so long that the server's film ends is connected to again.
        if (connections != 1 && !keep)
        {
            _problems.Add($"The RTSP server counted {connections} connections; one serves everybody.");
        }

        if (!_daemon!.Terminate(StopTimeout))
        {
            _problems.Add($"cuframesd did not end as it should. {_daemon.Errors}");
        }
    }

    /// <summary>Compares what was found with what must be.</summary>
    private DemoResult Conclude()
    {
        List<StreamResult> streams = [.. _streams
            .Where(stream => stream.Format is not null)
            .Select(stream => new StreamResult(stream.Key, stream.Fps ?? 0, $"{stream.Format} {stream.Width}x{stream.Height}"))];
        List<ReaderResult> readers = [];
        foreach (ReaderProcess reader in _readers)
        {
            ReaderReport report = reader.Report ?? new ReaderReport(0, 0, 0, 0, 0, 0);
            readers.Add(new ReaderResult(reader.Name, report.Frames, report.Missed, report.Torn, new ReaderLatency(report.P50, report.P99)));
            if (report.Frames == 0 || report.Torn > 0)
            {
                _problems.Add($"{reader.Name} took {report.Frames} frames, {report.Torn} of them torn. {reader.Process.Errors}");
            }

            if (report.Damaged > 0)
            {
                _stage.Say($"{reader.Name}: {report.Damaged} frames were damaged on the way to the decoder, which marked them; they were not compared with ffmpeg's.");
            }
        }

        foreach (string key in Keys.Where(key => !_streams.Exists(stream => stream.Key == key && stream is { State: "live", Fps: > 0 })))
        {
            _problems.Add($"Stream {key} was not live at the end.");
        }

        if (_reclaimMilliseconds is null || _snapshot is null)
        {
            _problems.Add("The demo did not come to its end.");
        }

        return new DemoResult(_problems.Count == 0, streams, readers, _reclaimMilliseconds, _snapshot);
    }

    private static List<StreamReport> Pair(IReadOnlyList<StreamProbe> now, IReadOnlyList<StreamProbe> before) =>
        [.. now.Select(probe => StreamReport.From(probe, before.FirstOrDefault(earlier => earlier.Info.Key == probe.Info.Key)))];

    private static void RequireRunning(ChildProcess child)
    {
        if (child.HasEnded)
        {
            throw new InvalidOperationException($"{child.Name} ended before its time. {child.Errors}");
        }
    }

    /// <summary>Waits, unless the demo is interrupted.</summary>
    /// <param name="time">How long.</param>
    /// <param name="isEnd">Whether an interruption is the regular end, and no error.</param>
    private void Pause(TimeSpan time, bool isEnd = false)
    {
        _cancellation.WaitHandle.WaitOne(time);
        if (!isEnd)
        {
            _cancellation.ThrowIfCancellationRequested();
        }
    }
}
