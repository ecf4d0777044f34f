using System.Diagnostics;
using CuFrames.Client;
using CuFrames.Protocol;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>A new configuration, by signal and by change of the file, while readers read.</summary>
public sealed class ReloadTests
{
    private const string Head = "defaults: {lossless: 30s, readers: everyone}\ncameras:\n";
    private const string Kept = "  kept: {source: 'test:nv12@160x120@50'}\n";

    /// <summary>How many frames of the camera that stays are checked after each reload.</summary>
    private const int FramesAfter = 20;

    [Fact]
    public void Cameras_that_stay_the_same_lose_no_frame_while_others_come_go_and_change()
    {
        using DaemonProcess daemon = DaemonProcess.Run(Head + Kept + "  changed: {source: 'test:64x48'}\n  removed: {source: 'test:64x48'}\n");
        using FrameSubscriber reader = daemon.Subscribe("kept", Delivery.Lossless);
        ulong changedEpoch = daemon.WaitFor("changed", info => info.Epoch != 0).Epoch;
        (ulong sequence, ulong epoch, long number) = PatternReader.Next(reader);

        // What comes before the frame at which a reader begins is not missed: this would be a frame that was lost on the way to its first take.
        Assert.True(reader.Missed == 0, $"missed {reader.Missed} before frame {sequence}, the first; {reader.Reconnects} reconnections:\n{daemon.LogText}");
        string[] bodies =
        [
            // Other order, other spelling, same values; one more, one less, one different.
            Head + "  added: {source: test}\n  changed: {source: 'test:96x64'}\n  kept:\n    slots: 6\n    enabled: true\n    source: 'test:nv12@160x120@50'\n",
            // A bad file changes nothing.
            Head + Kept + "  added: {sorce: test}\n",
            Head + Kept + "  changed: {source: 'test:96x64', enabled: false}\n",
            Head + Kept,
        ];
        for (int step = 0; step < bodies.Length; step++)
        {
            string said = daemon.Reload(bodies[step]);
            Assert.Contains(
                step switch
                {
                    0 => "added added, changed changed, removed removed, untouched 1.",
                    1 => "so the configuration before it stays",
                    2 => "added none, changed none, removed changed added, untouched 1.",
                    _ => "added none, changed none, removed none, untouched 1.",
                },
                said,
                StringComparison.Ordinal);
            if (step == 0)
            {
                StreamInfo changed = daemon.WaitFor("changed", info => info.Description is { Width: 96 });
                Assert.NotEqual(changedEpoch, changed.Epoch);
                Assert.Equal(ErrorCode.StreamNotFound, daemon.Probe("removed").ErrorCode);
                daemon.WaitFor("added", info => info.Description?.State == StreamState.Live);
            }
            else if (step == 1)
            {
                Assert.Contains("cameras.added.sorce: unknown key", daemon.LogText, StringComparison.Ordinal);
                Assert.Equal(StreamState.Live, daemon.Probe("added").Description?.State);
            }

            for (int i = 0; i < FramesAfter; i++)
            {
                (ulong Sequence, ulong Epoch, long Number) next = PatternReader.Next(reader);
                Assert.Equal((sequence + 1, epoch, number + 1), next);
                (sequence, _, number) = next;
            }
        }

        Assert.Equal(0UL, reader.Missed);
        Assert.Equal(0, reader.Reconnects);
        Assert.Equal(ErrorCode.StreamNotFound, daemon.Probe("changed").ErrorCode);
        Assert.Equal(["kept"], StreamDirectory.Keys(daemon.RuntimeDirectory));
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_key_of_a_camera_counts_as_a_change()
    {
        string[] variants =
        [
            "{source: 'test:64x48@25'}", "{source: 'test:64x48@24'}", "{source: 'test:64x48@24', slots: 7}", "{source: 'test:64x48@24', max_slots: 25}",
            "{source: 'test:64x48@24', memory_limit: 64MiB}", "{source: 'test:64x48@24', lease_timeout: 6s}", "{source: 'test:64x48@24', lossless: 1s}",
            "{source: 'test:64x48@24', readers: everyone}", "{source: 'test:64x48@24', readers: {users: [7]}}", "{source: 'test:64x48@24', readers: {users: [8]}}",
            "{source: 'test:64x48@24', readers: {groups: [8]}}", "{source: 'test:64x48@24', paced: true}", "{source: a.mp4}", "{source: a.mp4, loop: true}",
            "{source: a.mp4, decode_threads: 2}", "{source: a.mp4, open_timeout: 9s}", "{source: a.mp4, stall_timeout: 9s}",
            "{source: a.mp4, decode: software}", "{source: a.mp4, decode: nvdec}", "{source: a.mp4, decode: nvdec, memory: cuda}", "{source: a.mp4, memory: cuda-ipc}",
            "{source: 'rtsp://u:secret1@127.0.0.1:1/'}", "{source: 'rtsp://u:secret2@127.0.0.1:1/'}", "{source: 'rtsp://127.0.0.1:1/', username: u, password: secret3}",
            "{source: 'rtsp://127.0.0.1:1/', username: u, password: secret3, transport: udp}",
        ];
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {variants[0]}}}");
        HashSet<ulong> epochs = [daemon.WaitFor("a", info => info.Epoch != 0).Epoch];
        foreach (string variant in variants.Skip(1))
        {
            Assert.Contains("changed a,", daemon.Reload($"cameras: {{a: {variant}}}"), StringComparison.Ordinal);
            epochs.Add(daemon.WaitFor("a", info => info.Epoch != 0 && !epochs.Contains(info.Epoch)).Epoch);
        }

        Assert.DoesNotContain("secret", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void A_change_of_the_file_is_noticed_however_it_comes_about()
    {
        using DaemonProcess daemon = DaemonProcess.Run("cameras: {a: {source: 'test:64x48'}}");

        // In place, by a rename over it as editors do, and by removal and a new file.
        File.WriteAllText(daemon.ConfigurationPath, "cameras: {b: {source: 'test:64x48'}}\nweb: off\n");
        daemon.WaitForLog("added b, changed none, removed a");

        string beside = daemon.ConfigurationPath + ".new";
        File.WriteAllText(beside, "cameras: {c: {source: 'test:64x48'}}");
        File.Move(beside, daemon.ConfigurationPath, overwrite: true);
        daemon.WaitForLog("added c, changed none, removed b");

        File.Delete(daemon.ConfigurationPath);
        daemon.WaitForLog("[202 configuration-kept]");
        Assert.Contains("there is no such file", daemon.LogText, StringComparison.Ordinal);
        daemon.WaitFor("c", info => info.ErrorCode == ErrorCode.None);
        daemon.Write("cameras: {d: {source: 'test:64x48'}}");
        daemon.WaitForLog("added d, changed none, removed c");

        // Another file in the directory is none of our business; neither is the same content once more.
        int seen = daemon.Log.Count;
        File.WriteAllText(beside, "cameras: [");
        daemon.Write("cameras: {d: {source: 'test:64x48'}}");
        daemon.Write("cameras: {d: {source: 'test:64x48'}, e: {source: 'test:64x48'}}");
        daemon.WaitForLog("added e, changed none, removed none, untouched 1", seen: seen);
        Assert.Single(daemon.Log.Skip(seen), line => line.Contains("[2", StringComparison.Ordinal));
    }

    [Fact]
    public void A_config_maps_swap_of_links_is_noticed()
    {
        using DaemonProcess daemon = new("");
        string folder = Path.GetDirectoryName(daemon.ConfigurationPath)!;
        File.Delete(daemon.ConfigurationPath);
        MakeVersion("..1", "cameras: {a: {source: 'test:64x48'}}");
        Directory.CreateSymbolicLink(Path.Combine(folder, "..data"), "..1");
        File.CreateSymbolicLink(daemon.ConfigurationPath, "..data/cuframes.yaml");
        daemon.Start();
        daemon.WaitForLog("[101 ready]");

        foreach ((string version, string key, string before) in (ReadOnlySpan<(string, string, string)>)[("..2", "b", "a"), ("..3", "c", "b")])
        {
            MakeVersion(version, $"cameras: {{{key}: {{source: 'test:64x48'}}}}");
            Directory.CreateSymbolicLink(Path.Combine(folder, "..data_tmp"), version);
            // The framework cannot rename a link to a directory over another one.
            using Process rename = Process.Start("mv", ["-T", Path.Combine(folder, "..data_tmp"), Path.Combine(folder, "..data")]);
            rename.WaitForExit();
            daemon.WaitForLog($"added {key}, changed none, removed {before}");
        }

        void MakeVersion(string name, string content)
        {
            Directory.CreateDirectory(Path.Combine(folder, name));
            File.WriteAllText(Path.Combine(folder, name, "cuframes.yaml"), content);
        }
    }

    [Fact]
    public void Another_runtime_directory_moves_every_stream()
    {
        using DaemonProcess daemon = DaemonProcess.Run("cameras: {a: {source: 'test:64x48'}}");
        string before = daemon.RuntimeDirectory;
        string other = Path.Combine(daemon.Folder, "other");
        daemon.Write($"directory: {other}\ncameras: {{a: {{source: 'test:64x48'}}}}");
        daemon.WaitForLog("added none, changed a,");

        // The camera comes to its new place when its old threads have ended, which the reload does not wait for.
        daemon.RuntimeDirectory = other;
        daemon.WaitFor("a", info => info.Description is { State: StreamState.Live });
        Assert.Equal(["a"], StreamDirectory.Keys(other));
        Assert.Empty(StreamDirectory.Keys(before));
    }

    [Fact]
    public void A_reader_of_a_changed_camera_is_told_and_comes_back_to_the_new_epoch()
    {
        using DaemonProcess daemon = DaemonProcess.Run(Head + Kept);
        List<SubscriberEvent> events = [];
        using FrameSubscriber reader = daemon.Subscribe("kept", Delivery.Lossless, events.Add);
        ulong epoch = PatternReader.Next(reader).Epoch;
        daemon.Write(Head + "  kept: {source: 'test:i420@96x64@50'}\n");
        daemon.Signal(Signals.HangUp);
        ulong now;
        while ((now = PatternReader.Next(reader).Epoch) == epoch)
        {
            // What the old ring still holds.
        }

        Assert.NotEqual(epoch, now);
        Assert.Contains(events, happening => happening is { Kind: SubscriberEventKind.Disconnected, Code: ErrorCode.ShuttingDown });

        // The frames have the new format. The description is of the moment when the reader came back, which may be before the camera's first picture.
        using Frame frame = reader.Next(DaemonProcess.Patience);
        Assert.Equal((96, PixelFormat.I420), (frame.Width, frame.PixelFormat));
    }

    [Fact]
    public void Many_reloads_leave_nothing_behind()
    {
        string[] variants = ["cameras: {a: {source: 'test:64x48@50'}, b: {source: 'test:64x48'}}", "cameras: {a: {source: 'test:96x64@50'}, c: {source: 'rtsp://127.0.0.1:1/'}}"];
        using DaemonProcess daemon = DaemonProcess.Run(variants[0]);
        daemon.WaitForLog("[700 control-ready]");
        using FrameSubscriber reader = daemon.Subscribe("a");
        Reload(20);
        Dictionary<string, int> before = Holdings();
        Reload(60);

        // The threads of cameras that were stopped may need a moment to end, before the first look too: then it saw more than there is to be.
        Stopwatch time = Stopwatch.StartNew();
        for (Dictionary<string, int> now; (now = Holdings()).Any(holding => holding.Value > before.GetValueOrDefault(holding.Key));)
        {
            Assert.True(time.Elapsed < DaemonProcess.Patience, $"{string.Join(", ", before)}\nbecame\n{string.Join(", ", now)}");
            Thread.Sleep(50);
        }

        void Reload(int times)
        {
            for (int i = 1; i <= times; i++)
            {
                daemon.Reload(variants[i % 2]);
                PatternReader.Next(reader);
            }

            // Each camera has what it is to have when its frames come. The reader may still have been in the epoch before.
            daemon.WaitFor("b", info => info.Description is { State: StreamState.Live });
            ulong epoch = daemon.WaitFor("a", info => info.Description is { Width: 64, State: StreamState.Live }).Epoch;
            while (PatternReader.Next(reader).Epoch != epoch)
            {
                // What the old ring held.
            }
        }

        // Sockets, watches, memory files and their mappings by kind and number; what else the runtime opens is its own affair.
        Dictionary<string, int> Holdings() =>
            Directory.GetFileSystemEntries($"/proc/{daemon.ProcessId}/fd").Select(path => Path.GetFileName(new FileInfo(path).LinkTarget) ?? "")
                .Concat(File.ReadLines($"/proc/{daemon.ProcessId}/maps").Where(line => line.Contains("cuframes-", StringComparison.Ordinal)).Select(line => "mapping " + line[line.IndexOf("cuframes-", StringComparison.Ordinal)..]))
                .Select(name => name.Split(':', '[')[0] is "socket" ? "socket" : name)
                .Where(name => name == "socket" || name.Contains("inotify", StringComparison.Ordinal) || name.Contains("cuframes-", StringComparison.Ordinal))
                .GroupBy(name => name).ToDictionary(group => group.Key, group => group.Count());
    }
}
