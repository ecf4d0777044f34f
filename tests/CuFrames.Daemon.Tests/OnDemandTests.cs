using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>Cameras of cuframesd that are decoded while somebody reads, counted where the daemon calls libavcodec.</summary>
public sealed class OnDemandTests : IDisposable
{
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    [Fact]
    public void Idle_cameras_have_no_decoder_however_their_readers_went()
    {
        string path = _clips.WithSound("a.mp4", 320, 240, 60);
        DecoderAudit audit = new(_clips.Folder);
        using DaemonProcess daemon = new(
            $$"""
            defaults: {source: {{path}}, loop: true}
            cameras:
              a: { decode: [software, on-demand], renditions: { small: { scale: 0.5 } } }
              b: {decode: on-demand, packets: { memory: 8MiB, time: 30s } }
              c: {decode: [on-demand, keyframes]}
            """);
        foreach ((string name, string? value) in audit.Environment)
        {
            daemon.Environment[name] = value;
        }

        daemon.Start();
        foreach (string camera in (string[])["a", "b", "c"])
        {
            daemon.WaitForLog("317 camera-idle", $"{camera}: {CameraPump.IdleText}; h264 320x240 from ");
            daemon.WaitFor(camera, info => info.StateText.StartsWith(CameraPump.IdleText, StringComparison.Ordinal));
        }

        DecoderCounts counts = audit.Read();
        Assert.Equal((0, 0), (counts.Open, counts.Pictures));
        using PacketSubscriber packets = PacketSubscriber.Connect("a", new PacketSubscriberOptions { Directory = daemon.RuntimeDirectory, Start = PacketStart.Next });
        for (int cycle = 0; cycle < 2; cycle++)
        {
            // Two readers of one camera, one of which is a rendition's, share its decoder.
            int seen = daemon.Log.Count;
            using (PeerProcess killed = PeerProcess.Start("subscriber", "--dir", daemon.RuntimeDirectory, "--key", cycle == 0 ? "a" : "a@small"))
            using (FrameSubscriber reader = daemon.Subscribe(cycle == 0 ? "a@small" : "a", Delivery.InOrder))
            {
                using (Frame frame = reader.Next(DaemonProcess.Patience))
                {
                    Assert.Equal(cycle == 0 ? 160 : 320, frame.Width);
                    Assert.NotEqual(0ul, frame.Metadata.SourcePacket);
                }

                killed.Ask("open");
                Assert.Equal(1, audit.Read().Open);
                killed.KillNow();
            }

            daemon.WaitForLog("317 camera-idle", "a: ", seen);
            counts = audit.Read();
            Assert.Equal((0, cycle + 1), (counts.Open, counts.Opened));
            daemon.WaitFor("a", info => info is { Description: { Slots: 0, State: StreamState.Live } });
        }

        // A recorder of packets wakes nobody, and has lost none.
        ulong last = 0;
        while (packets.TryTake(out Packet packet))
        {
            Assert.True(last == 0 || packet.Sequence == last + 1);
            last = packet.Sequence;
        }

        Assert.True(last > 0);
        Assert.Equal(0ul, packets.Missed);
        using (FrameSubscriber reader = daemon.Subscribe("c"))
        {
            using Frame frame = reader.Next(DaemonProcess.Patience);
            Assert.True(frame.Metadata.Flags.HasFlag(FrameFlags.Key));
        }

        Assert.Equal(0, daemon.End().ExitCode);
        Assert.Equal((0, 3), (audit.Read().Open, audit.Read().Opened));
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    /// <summary>Packets are a stream of their own for everybody who may read the frames, or for others.</summary>
    [Fact]
    public void Packets_are_published_beside_the_frames_unless_they_are_off()
    {
        string path = _clips.WithSound("a.mp4", 320, 240, 4);
        using DaemonProcess daemon = DaemonProcess.Run(
            $$"""
            defaults: {source: {{path}}, loop: true}
            cameras:
              a: {}
              b: {packets: off}
              c: {source: test, readers: everyone}
            """);
        Assert.Equal(["a+packets.sock"], Directory.GetFiles(daemon.RuntimeDirectory, "*+packets.sock").Select(Path.GetFileName));
        PacketStreamInfo info = StreamDirectory.ProbePackets("a", daemon.RuntimeDirectory);
        Assert.Equal(("a", "cuframesd"), (info.Key, info.Program));
        using PacketSubscriber packets = PacketSubscriber.Connect("a", new PacketSubscriberOptions { Directory = daemon.RuntimeDirectory });
        using FrameSubscriber frames = daemon.Subscribe("a"), others = daemon.Subscribe("b");
        bool[] kinds = new bool[3];
        while (!(kinds[1] && kinds[2]))
        {
            kinds[(int)packets.Next(DaemonProcess.Patience).Track.Kind] = true;
        }

        using (Frame frame = frames.Next(DaemonProcess.Patience))
        {
            Assert.True(packets.TryFind(frame.Metadata.SourcePacket, out Packet packet));
            Assert.Equal(TrackKind.Video, packet.Track.Kind);
        }

        using (Frame frame = others.Next(DaemonProcess.Patience))
        {
            Assert.Equal(0ul, frame.Metadata.SourcePacket);
        }

        Assert.Contains("h264 320x240, aac 48000 Hz", StreamDirectory.ProbePackets("a", daemon.RuntimeDirectory).StateText, StringComparison.Ordinal);

        // The camera is started again with a new epoch of both.
        ulong epoch = packets.Epoch;
        File.Delete(Path.Combine(daemon.RuntimeDirectory, "a+packets.sock"));
        daemon.WaitForLog("308 camera-socket-gone");
        while (packets.Next(DaemonProcess.Patience).Epoch == epoch)
        {
            Assert.Equal(0, packets.Evictions);
        }
    }
}
