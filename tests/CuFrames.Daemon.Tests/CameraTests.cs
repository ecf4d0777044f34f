using System.Security.Cryptography;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>Cameras on a real RTSP server, good ones and bad ones.</summary>
public sealed class CameraTests : IDisposable
{
    private const string Password = "Geh3im@nis:Passwort";
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    [Fact]
    public void Three_readers_get_ffmpegs_decode_bit_for_bit_over_one_connection()
    {
        const int Wanted = 40;
        string path = _clips.H264("a.mp4", 1920, 1080, 2);
        HashSet<string> reference = HashesOf(_clips.DecodeReference(path, "yuv420p"), 1920 * 1080 * 3 / 2);
        Assert.Equal(50, reference.Count);
        using RtspServer camera = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(60) });
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: '{camera.Url}', slots: 16}}}}");
        Task<HashSet<string>>[] readers = [.. new[] { Delivery.InOrder, Delivery.Newest, Delivery.InOrder }.Select(delivery => Task.Factory.StartNew(
            () => Read(delivery), TaskCreationOptions.LongRunning))];
        Assert.All(readers, reader => Assert.Subset(reference, reader.GetAwaiter().GetResult()));
        Assert.All(readers, reader => Assert.True(reader.Result.Count > 10, $"only {reader.Result.Count} different pictures"));
        Assert.Equal(1, camera.Connections);
        Assert.Equal(["tcp"], camera.Transports);

        HashSet<string> Read(Delivery delivery)
        {
            using FrameSubscriber reader = daemon.Subscribe("a", delivery);
            HashSet<string> hashes = [];
            byte[] samples = new byte[1920 * 1080 * 3 / 2];
            ulong last = 0;
            for (int i = 0; i < Wanted; i++)
            {
                using Frame frame = reader.Next(DaemonProcess.Patience);
                Assert.Equal((1920, 1080, PixelFormat.I420), (frame.Width, frame.Height, frame.PixelFormat));
                Assert.True(frame.Sequence > last);
                last = frame.Sequence;
                Assert.Equal(samples.Length, frame.CopyTo(samples));
                hashes.Add(Convert.ToHexString(SHA256.HashData(samples)));
            }

            return hashes;
        }
    }

    [Fact]
    public void Bad_cameras_say_why_and_the_good_one_goes_on()
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        using SilentServer silent = new();
        using RtspServer locked = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(120), User = "admin", Password = Password });
        string notMedia = _clips.PathOf("text.mp4");
        File.WriteAllText(notMedia, string.Concat(Enumerable.Repeat("This is no video. ", 1000)));
        using DaemonProcess daemon = DaemonProcess.Run(
            $$"""
            defaults: {readers: everyone}
            cameras:
              good: {source: "test:nv12@160x120@50", lossless: 5min}
              nowhere: {source: "rtsp://u:{{Uri.EscapeDataString(Password)}}@camera.invalid/x"}
              closed: {source: "rtsp://127.0.0.1:1/x?token={{Uri.EscapeDataString(Password)}}"}
              silent: {source: "{{silent.Url}}", open_timeout: 1s, username: u, password: "{{Password}}"}
              wrong: {source: "{{locked.Url}}", username: admin, password: "{{Password}}X"}
              login: {source: "{{locked.Url}}"}
              right: {source: "{{locked.Url}}", username: admin, password: "{{Password}}"}
              file: {source: "{{_clips.PathOf("nowhere.mp4")}}"}
              text: {source: "{{notMedia}}"}
              scheme: {source: "rstp://u:{{Uri.EscapeDataString(Password)}}@127.0.0.1/x"}
              memory: {source: "test:rgba@4096x4096@5", memory_limit: 1MiB}
            """);
        using FrameSubscriber reader = daemon.Subscribe("good", Delivery.Lossless);
        (ulong sequence, ulong epoch, _) = PatternReader.Next(reader);

        List<string> texts = [];
        Require("nowhere", StreamState.SourceLost, "camera.invalid");
        Require("closed", StreamState.SourceLost, "nothing listens on that port");
        Require("silent", StreamState.SourceLost, "");
        Require("wrong", StreamState.SourceLost, "refused the user name or the password");
        Require("login", StreamState.SourceLost, "asks for a user name");
        Require("right", StreamState.Live, "");
        Require("file", StreamState.SourceLost, "nowhere.mp4");
        Require("text", StreamState.SourceLost, "");
        Require("scheme", StreamState.Ended, "rstp");
        Require("memory", StreamState.SourceLost, "memory limit");

        // All the while the good camera went on, and nothing that anybody can see holds a password.
        for (int i = 0; i < 100; i++)
        {
            (ulong Sequence, ulong Epoch, long) next = PatternReader.Next(reader);
            Assert.Equal((sequence + 1, epoch), (next.Sequence, next.Epoch));
            sequence = next.Sequence;
        }

        Assert.Equal(0, daemon.End().ExitCode);
        string everything = daemon.LogText + string.Join('\n', texts);
        Assert.All(
            [Password, Uri.EscapeDataString(Password), "Passwort", Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes("admin:" + Password))],
            secret => Assert.DoesNotContain(secret, everything, StringComparison.Ordinal));
        Assert.Contains("rtsp://u:***@camera.invalid/x", everything, StringComparison.Ordinal);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
        foreach (string key in (ReadOnlySpan<string>)["nowhere", "closed", "silent", "wrong", "login", "file", "text"])
        {
            Assert.Contains(daemon.Log, line => line.Contains($"[302 camera-lost] {key}: ", StringComparison.Ordinal) && line.Contains("Next attempt in ", StringComparison.Ordinal));
        }

        Assert.Contains(daemon.Log, line => line.Contains("[309 camera-not-admitted] memory: ", StringComparison.Ordinal) && line.Contains("its limit is 1.0 MiB", StringComparison.Ordinal));
        Assert.Contains(daemon.Log, line => line.Contains("[304 camera-failed] scheme: ", StringComparison.Ordinal));

        void Require(string key, StreamState state, string text)
        {
            StreamInfo info = daemon.WaitFor(key, info => info.Description?.State == state);
            Assert.True(state == StreamState.Live || info.StateText.Length > 20, $"{key}: '{info.StateText}'");
            Assert.Contains(text, info.StateText, StringComparison.OrdinalIgnoreCase);
            texts.Add($"{info} {info.Description}");
        }
    }

    [Fact]
    public void A_camera_whose_thread_fails_is_started_again_and_again_while_others_go_on()
    {
        // The kernel refuses files of more than 2 MB, and with them the memory of the large picture. The runtime itself makes one larger file,
        // unless it is told not to; the signal that goes with the refusal is ignored, as a service manager can arrange it.
        using DaemonProcess daemon = new("cameras: {large: {source: 'test:1280x720'}, small: {source: 'test:64x48@50', lossless: 30s}}")
        {
            Prefix = ["sh", "-c", "trap '' XFSZ; exec prlimit --fsize=2000000 \"$@\"", "sh"],
        };
        daemon.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        daemon.Start();
        using FrameSubscriber reader = daemon.Subscribe("small", Delivery.Lossless);
        ulong epoch = PatternReader.Next(reader).Epoch;
        Assert.Contains("EFBIG", daemon.WaitForLog("[305 camera-fault] large: ", "Starting again in 1 s."), StringComparison.Ordinal);
        StreamInfo first = daemon.WaitFor("large", info => info.Description?.State == StreamState.Ended);
        Assert.Contains("EFBIG", first.StateText, StringComparison.Ordinal);
        daemon.WaitForLog("[305 camera-fault] large: ", "Starting again in 2 s.");

        // The first one seen may have been that of the second attempt already: then it is the third that comes with another epoch.
        daemon.WaitFor("large", info => info.Description?.State == StreamState.Ended && info.Epoch != first.Epoch);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(epoch, PatternReader.Next(reader).Epoch);
        }

        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public void A_camera_that_goes_away_comes_back_in_the_same_epoch()
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        HashSet<string> reference = HashesOf(_clips.DecodeReference(path, "yuv420p"), 320 * 240 * 3 / 2);
        RtspServer camera = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(120) });
        int port = camera.Port;
        try
        {
            using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: '{camera.Url}', stall_timeout: 2s, open_timeout: 3s, slots: 48}}}}");
            List<SubscriberEvent> events = [];
            using FrameSubscriber reader = daemon.Subscribe("a", Delivery.InOrder, events.Add);
            (ulong sequence, ulong epoch, _) = Next(reader);

            camera.Dispose();
            daemon.WaitForLog("[302 camera-lost] a: ");
            daemon.WaitFor("a", info => info.Description?.State == StreamState.SourceLost);
            int seen = daemon.Log.Count;
            camera = new RtspServer(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(120), Port = port });

            // What was there before the loss comes first, then the mark, then frames as if nothing had been.
            bool wasMarked = false;
            for (int after = 0; after < 25;)
            {
                (ulong Sequence, ulong Epoch, FrameFlags Flags) next = Next(reader);
                Assert.Equal(epoch, next.Epoch);
                Assert.True(next.Sequence > sequence);
                sequence = next.Sequence;
                wasMarked |= next.Flags.HasFlag(FrameFlags.Discontinuity);
                after += wasMarked ? 1 : 0;
            }

            Assert.Equal(0, reader.Reconnects);
            Assert.Contains(events, happening => happening.Kind == SubscriberEventKind.SourceLost);
            daemon.WaitForLog("[301 camera-live] a: ", seen: seen);
        }
        finally
        {
            camera.Dispose();
        }

        (ulong Sequence, ulong Epoch, FrameFlags Flags) Next(FrameSubscriber reader)
        {
            using Frame frame = reader.Next(DaemonProcess.Patience);
            byte[] samples = new byte[320 * 240 * 3 / 2];
            Assert.Equal(samples.Length, frame.CopyTo(samples));
            // The last picture before a connection breaks may be cut off: then it says so.
            Assert.True(
                reference.Contains(Convert.ToHexString(SHA256.HashData(samples))) || frame.Metadata.Flags.HasFlag(FrameFlags.Corrupt), $"frame {frame.Sequence} differs");
            return (frame.Sequence, frame.Epoch, frame.Metadata.Flags);
        }
    }

    [Fact]
    public void A_lossless_reader_of_a_file_gets_every_frame_once()
    {
        string path = _clips.H264("a.mp4", 640, 368, 2);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        int size = 640 * 368 * 3 / 2;

        // The reader is there before the file is: nothing is missed.
        string late = _clips.PathOf("late.mp4");
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: '{late}', lossless: 30s, paced: false, slots: 4, max_slots: 4}}}}");
        using FrameSubscriber reader = daemon.Subscribe("a", Delivery.Lossless);
        Assert.False(reader.TryNext(TimeSpan.Zero, out _));
        File.Move(path, late);
        byte[] samples = new byte[size];
        for (int i = 0; i < reference.Length / size; i++)
        {
            using Frame frame = reader.Next(DaemonProcess.Patience);
            Assert.Equal((ulong)i + 1, frame.Sequence);
            frame.CopyTo(samples);
            Assert.True(reference.AsSpan(i * size, size).SequenceEqual(samples), $"frame {i} differs");
            Assert.Equal(i == (reference.Length / size) - 1, frame.Metadata.Flags.HasFlag(FrameFlags.EndOfStream));
        }

        daemon.WaitForLog("[303 camera-ended] a: ");
        Assert.Equal(StreamState.Ended, daemon.WaitFor("a", info => info.Description?.State == StreamState.Ended).Description!.State);
        Assert.Equal(0UL, reader.Missed);
    }

    private static HashSet<string> HashesOf(byte[] content, int frameBytes) =>
        [.. Enumerable.Range(0, content.Length / frameBytes).Select(i => Convert.ToHexString(SHA256.HashData(content.AsSpan(i * frameBytes, frameBytes))))];
}
