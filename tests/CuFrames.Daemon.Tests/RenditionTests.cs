using System.Security.Cryptography;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>Renditions of cameras, by the real daemon.</summary>
public sealed class RenditionTests : IDisposable
{
    private const string Flags = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact";
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    [Fact]
    public void One_connection_and_one_decode_serve_a_camera_and_three_renditions_each_frame_as_ffmpeg_makes_it()
    {
        string path = _clips.H264("a.mp4", 640, 480, 2);
        (string Key, PixelFormat Format, int Width, int Height, string Filter)[] streams =
        [
            ("a", PixelFormat.I420, 640, 480, "null"),
            ("a@small", PixelFormat.Rgb24, 320, 180, $"scale=240:180:{Flags}:in_color_matrix=bt601:in_range=tv,format=rgb24,pad=320:180:40:0:black"),
            ("a@half", PixelFormat.I420, 320, 240, $"scale=320:240:{Flags},format=yuv420p"),
            ("a@wide", PixelFormat.Bgra, 400, 200, $"crop=640:320:0:80,scale=400:200:{Flags}:in_color_matrix=bt601:in_range=tv,format=bgra"),
        ];
        List<string>[] references = [.. streams.Select(stream => HashesOf(path, stream.Filter, stream.Format, stream.Width, stream.Height))];
        Assert.All(references, reference => Assert.Equal(50, reference.Distinct().Count()));
        using RtspServer camera = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(60) });
        using DaemonProcess daemon = DaemonProcess.Run(
            $$"""
            cameras:
              a:
                source: '{{camera.Url}}'
                slots: 16
                renditions:
                  small: {size: 320x180, fps: 5, format: rgb24}
                  half: {scale: 0.5}
                  wide: {size: 400x200, fit: crop, format: bgra}
                  idle: {size: 1920x1080, fit: stretch, format: rgb24}
            """);

        // The camera's reader comes before the others and stays until they have all they want: their frames are among its own, however long each takes to begin.
        using ManualResetEventSlim isBegun = new();
        int others = streams.Length - 1;
        Task<List<(FrameMetadata Metadata, int Picture)>>[] readers = [.. Enumerable.Range(0, streams.Length).Select(i => Task.Factory.StartNew(() => ReadOne(i), TaskCreationOptions.LongRunning))];
        List<(FrameMetadata Metadata, int Picture)>[] frames = [.. readers.Select(reader => reader.GetAwaiter().GetResult())];

        // The same packet of the camera is the same picture of the clip in every stream, with the same times and flags.
        Dictionary<ulong, (FrameMetadata Metadata, int Picture)> originals = frames[0].ToDictionary(frame => frame.Metadata.SourcePacket);
        for (int i = 1; i < streams.Length; i++)
        {
            int met = 0;
            foreach ((FrameMetadata metadata, int picture) in frames[i])
            {
                if (originals.TryGetValue(metadata.SourcePacket, out (FrameMetadata Metadata, int Picture) original))
                {
                    met++;
                    Assert.Equal(original.Picture, picture);
                    Assert.Equal(
                        (original.Metadata.Pts, original.Metadata.ArrivalTime, original.Metadata.CaptureTime, original.Metadata.Flags, original.Metadata.PictureType),
                        (metadata.Pts, metadata.ArrivalTime, metadata.CaptureTime, metadata.Flags, metadata.PictureType));
                }
            }

            Assert.True(met > 1, $"{streams[i].Key}: {met} frames are of packets that the camera's reader saw");
        }

        // Five frames a second on average: twelve frames are eleven spaces.
        long span = frames[1][^1].Metadata.Pts - frames[1][0].Metadata.Pts;
        Assert.InRange(span, (frames[1].Count - 1.5) * 200e6, double.PositiveInfinity);
        Assert.Equal(1, camera.Connections);
        Assert.Equal((StreamState.Starting, 0UL), (daemon.Probe("a@idle").Description!.State, daemon.Probe("a@idle").Description!.Head));
        Assert.StartsWith("idle: computed when somebody reads it; rgb24 1920x1080", daemon.Probe("a@idle").StateText, StringComparison.Ordinal);
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);

        List<(FrameMetadata Metadata, int Picture)> ReadOne(int index)
        {
            try
            {
                return Read(index);
            }
            finally
            {
                Interlocked.Add(ref others, index == 0 ? 0 : -1);
            }
        }

        List<(FrameMetadata Metadata, int Picture)> Read(int index)
        {
            (string key, PixelFormat format, int width, int height, _) = streams[index];
            Assert.True(index == 0 || isBegun.Wait(DaemonProcess.Patience), "the camera's reader gets no frame");
            using FrameSubscriber reader = daemon.Subscribe(key, Delivery.InOrder);
            byte[] samples = new byte[PixelFormats.PictureBytes(format, width, height)];
            List<(FrameMetadata, int)> found = [];
            int wanted = key == "a@small" ? 12 : 60;
            while (found.Count < wanted || (index == 0 && Volatile.Read(ref others) > 0))
            {
                using Frame frame = reader.Next(DaemonProcess.Patience);
                Assert.Equal((format, width, height), (frame.PixelFormat, frame.Width, frame.Height));
                Assert.Equal(samples.Length, frame.CopyTo(samples));
                frame.ThrowIfInvalid();
                int picture = references[index].IndexOf(Convert.ToHexString(SHA256.HashData(samples)));
                Assert.True(picture >= 0, $"{key}: frame {frame.Sequence} is none of the clip's");
                found.Add((frame.Metadata, picture));
                isBegun.Set();
            }

            return found;
        }
    }

    [Fact]
    public void Who_comes_to_an_idle_rendition_gets_the_next_frame_and_none_of_long_ago()
    {
        using DaemonProcess daemon = DaemonProcess.Run("cameras: {a: {source: 'test:nv12@160x120@50', lossless: 30s, renditions: {half: {scale: 0.5, fps: 0.01}}}}");
        using FrameSubscriber camera = daemon.Subscribe("a", Delivery.Lossless);
        Packet();
        ulong epoch = daemon.Probe("a@half").Epoch;
        ulong missed = camera.Missed;
        for (ulong round = 0; round < 5; round++)
        {
            StreamInfo info = daemon.WaitFor("a@half", info => Follow() && info.StateText.StartsWith("idle: ", StringComparison.Ordinal) && info.Description!.MemoryBytes == 0);
            Assert.Equal(
                (epoch, round == 0 ? StreamState.Starting : StreamState.Live, round, "idle: computed when somebody reads it; nv12 80x60, at most 0.01 frames per second."),
                (info.Epoch, info.Description!.State, info.Description.Head, info.StateText));
            ulong newest = 0;
            for (int i = 0; i < 20; i++)
            {
                newest = Packet();
            }

            using FrameSubscriber reader = daemon.Subscribe("a@half");
            Frame first;
            while (!reader.TryNext(TimeSpan.Zero, out first))
            {
                Follow();
            }

            using (first)
            {
                Assert.True(first.Metadata.SourcePacket > newest, $"packet {first.Metadata.SourcePacket} came before somebody asked for it, at {newest}");
                Assert.Equal((epoch, round + 1, 0UL), (first.Epoch, first.Sequence, first.Missed));
                Assert.NotEqual(0UL, daemon.Probe("a@half").Description!.MemoryBytes);
            }

            Assert.Equal(StreamState.Live, daemon.Probe("a@half").Description!.State);
            Assert.Equal(round + 1, daemon.Probe("a@half").Description!.Head);
        }

        Assert.Equal(missed, camera.Missed);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);

        bool Follow() => Packet() > 0;

        ulong Packet()
        {
            using Frame frame = camera.Next(DaemonProcess.Patience);
            return frame.Metadata.SourcePacket;
        }
    }

    /// <summary>Each number is that of the formula, rounded once, of the picture that the other rendition shows.</summary>
    [Fact]
    public void A_tensor_is_the_picture_scaled_less_the_mean_by_the_deviation()
    {
        using DaemonProcess daemon = DaemonProcess.Run(
            """
            defaults: {lossless: 30s}
            cameras:
              a:
                source: 'test:nv12@322x182@25'
                renditions:
                  plain: {size: 101x57, format: rgb24}
                  bytes: {size: 101x57, format: bgrp}
                  half: {size: 101x57, format: bgrp_f16, tensor: {mean: [0.406, 0.456, 0.485], std: [0.225, 0.224, 0.229]}}
                  single: {size: 101x57, format: rgbp_f32, tensor: {scale: 2, mean: [255, 254, 1e-3]}}
            """);
        const int width = 101, height = 57, area = width * height;
        double[] mean = [0.406, 0.456, 0.485], std = [0.225, 0.224, 0.229], offset = [255, 254, 1e-3];
        string[] keys = ["a@plain", "a@bytes", "a@half", "a@single"];
        FrameSubscriber[] readers = [.. keys.Select(key => daemon.Subscribe(key, Delivery.Lossless))];
        try
        {
            Dictionary<ulong, byte[]>[] frames = [[], [], [], []];
            for (int round = 0; round < 60; round++)
            {
                for (int i = 0; i < readers.Length; i++)
                {
                    using Frame frame = readers[i].Next(DaemonProcess.Patience);
                    byte[] picture = new byte[PixelFormats.PictureBytes(frame.PixelFormat, width, height)];
                    Assert.Equal(picture.Length, frame.CopyTo(picture));
                    frame.ThrowIfInvalid();
                    if (i > 0)
                    {
                        Assert.Equal((1, frame.Plane(0).RowBytes, 3 * height), (frame.PlaneCount, frame.Plane(0).Pitch, frame.Plane(0).Rows));
                        Assert.Equal((0, ColourRange.Full), (frame.Metadata.ColourMatrix, frame.Metadata.ColourRange));
                    }

                    frames[i].Add(frame.Metadata.SourcePacket, picture);
                }
            }

            // The readers did not begin with the same one: the first may have filled its ring before the last came.
            ulong[] common = [.. frames[0].Keys.Where(packet => frames.All(some => some.ContainsKey(packet))).Take(20)];
            Assert.InRange(common.Length, 5, 20);
            foreach (ulong packet in common)
            {
                byte[] rgb = frames[0][packet], bytes = frames[1][packet];
                ReadOnlySpan<Half> halves = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, Half>(frames[2][packet]);
                ReadOnlySpan<float> singles = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(frames[3][packet]);
                for (int pixel = 0; pixel < area; pixel++)
                {
                    for (int c = 0; c < 3; c++)
                    {
                        byte forward = rgb[(3 * pixel) + c], backward = rgb[(3 * pixel) + 2 - c];
                        Assert.Equal(backward, bytes[(c * area) + pixel]);
                        Assert.Equal((Half)(((backward * (1.0 / 255)) - mean[c]) / std[c]), halves[(c * area) + pixel]);
                        Assert.Equal((float)((forward * 2.0) - offset[c]), singles[(c * area) + pixel]);
                    }
                }
            }
        }
        finally
        {
            Array.ForEach(readers, reader => reader.Dispose());
        }

        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reload_adds_changes_and_removes_renditions_while_all_other_readers_miss_nothing()
    {
        const string Head = "defaults: {lossless: 30s}\ncameras:\n  a: {source: 'test:nv12@160x120@50', renditions: {kept: {scale: 0.5}";
        using DaemonProcess daemon = DaemonProcess.Run(Head + ", changed: {scale: 2}, removed: {scale: 1}}}\n");
        using FrameSubscriber camera = daemon.Subscribe("a", Delivery.Lossless), kept = daemon.Subscribe("a@kept", Delivery.Lossless);
        (ulong packet, ulong epoch) = Next(camera);
        (ulong keptPacket, ulong keptEpoch) = Next(kept);
        foreach ((string tail, string line) in (ReadOnlySpan<(string, string)>)
            [
                (", changed: {scale: 3}, added: {size: 64x64, format: rgb24}}}\n", "added a@added, changed a@changed, removed a@removed, untouched 1."),
                ("}}\n", "added none, changed none, removed a@changed a@added, untouched 1."),
                (", removed: {scale: 1}}}\n", "added a@removed, changed none, removed none, untouched 1."),
            ])
        {
            Assert.Contains(line, daemon.Reload(Head + tail), StringComparison.Ordinal);
            for (int i = 0; i < 30; i++)
            {
                Assert.Equal((++packet, epoch), Next(camera));
                Assert.Equal((++keptPacket, keptEpoch), Next(kept));
            }
        }

        daemon.WaitFor("a@removed", info => info.ErrorCode == ErrorCode.None);
        Assert.Equal(["a", "a@kept", "a@removed"], StreamDirectory.Keys(daemon.RuntimeDirectory).Order());
        Assert.Equal((0, 0), (camera.Reconnects, kept.Reconnects));
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.Empty(Directory.GetFiles(daemon.RuntimeDirectory, "*.sock"));
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);

        static (ulong Packet, ulong Epoch) Next(FrameSubscriber reader)
        {
            using Frame frame = reader.Next(DaemonProcess.Patience);
            return (frame.Metadata.SourcePacket, frame.Epoch);
        }
    }

    [Fact]
    public void Killed_readers_of_renditions_and_removed_sockets_disturb_nobody()
    {
        using DaemonProcess daemon = DaemonProcess.Run("cameras: {a: {source: 'test:nv12@160x120@50', lossless: 30s, renditions: {half: {scale: 0.5}, large: {scale: 2}}}}");
        using FrameSubscriber camera = daemon.Subscribe("a", Delivery.Lossless), large = daemon.Subscribe("a@large", Delivery.Lossless);
        ulong packet = 0;
        for (int round = 0; round < 4; round++)
        {
            // It holds a frame when it is killed. It is there when a frame was made for it.
            ulong idle = daemon.WaitFor("a@half", info => Step(1) && info.Description is { MemoryBytes: 0 }).Description!.Head;
            using PeerProcess peer = PeerProcess.Start("subscriber", "--dir", daemon.RuntimeDirectory, "--key", "a@half");
            peer.Ask("open");
            peer.Send("next 30000");
            ulong before = packet;
            while (daemon.Probe("a@half").Description!.Head == idle || packet < before + 20)
            {
                Step(1);
            }

            peer.Expect("frame");
            if (round == 2)
            {
                File.Delete(Path.Combine(daemon.RuntimeDirectory, "a@half.sock"));
                daemon.WaitForLog("[308 camera-socket-gone] a@half", seen: 0);
            }

            peer.Kill();
            Step(10);
        }

        daemon.WaitFor("a@half", info => Step(1) && info.StateText.StartsWith("idle: ", StringComparison.Ordinal));
        Assert.Equal(0, large.Reconnects);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);

        bool Step(int frames)
        {
            for (int i = 0; i < frames; i++)
            {
                // Not held while the other is waited for: a camera whose ring is full would wait for us.
                using (Frame frame = camera.Next(DaemonProcess.Patience))
                {
                    packet = packet == 0 ? frame.Metadata.SourcePacket : packet + 1;
                    Assert.Equal(packet, frame.Metadata.SourcePacket);
                }

                large.Next(DaemonProcess.Patience).Dispose();
            }

            return true;
        }
    }

    private List<string> HashesOf(string path, string filter, PixelFormat format, int width, int height)
    {
        string raw = _clips.PathOf("reference.raw");
        string name = format == PixelFormat.I420 ? "yuv420p" : PixelFormats.Name(format);
        MediaClips.Ffmpeg("-i", path, "-vf", filter, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", name, raw);
        byte[] content = File.ReadAllBytes(raw);
        int size = (int)PixelFormats.PictureBytes(format, width, height);
        return [.. Enumerable.Range(0, content.Length / size).Select(i => Convert.ToHexString(SHA256.HashData(content.AsSpan(i * size, size))))];
    }
}
