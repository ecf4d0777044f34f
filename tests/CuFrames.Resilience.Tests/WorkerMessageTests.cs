using System.Text;
using CuFrames.Daemon.Internal;
using CuFrames.Daemon.Internal.Workers;
using CuFrames.Media;
using Xunit;

namespace CuFrames.Resilience.Tests;

/// <summary>What goes through the pipes between the daemon and its workers.</summary>
public sealed class WorkerMessageTests
{
    [Fact]
    public void A_camera_arrives_as_it_was_configured()
    {
        const string Text =
            """
            gpu: {device: MIG-8f3a6d3c-1111-2222-3333-444455556666, memory_limit: 512MiB, max_decoders: 3}
            cameras:
              one:
                source: 'rtsp://u:Geh3im%20es@h/a b?token=x'
                slots: 30
                transport: udp
                memory_limit: 1.5GiB
                readers: {users: [0, 7], groups: [0]}
                memory: cuda-ipc
                isolated: true
                decode: [on-demand, nvdec, keyframes]
                packets: {memory: 16389KiB, time: 10min, readers: everyone}
                renditions:
                  small: { size: 640x360, fit: letterbox, fps: 12.5, format: rgb24, memory: host, readers: {users: [5]} }
                  net: { scale: 0.3, format: bgrp_f16, tensor: { mean: [0.406, -1e-3, 0.485], std: [0.5, 1, 2] } }
              two: {source: 'test:i420@64x48@30000/1001', lossless: 2min, paced: false, readers: everyone, stuck_timeout: off}
              three: {source: /clips/a.mp4, loop: true, decode_threads: 0, packets: off, open_timeout: 0.3s}
              four: {source: 'file:/clips/with space.mp4'}
            """;
        (DaemonConfiguration? configuration, IReadOnlyList<string> problems) = ConfigurationReader.Read("/etc/x.yaml", Encoding.UTF8.GetBytes(Text), _ => null);
        Assert.Empty(problems);
        foreach (CameraConfiguration camera in configuration!.Cameras)
        {
            WorkerStart start = new("1", 2, "/run", camera, configuration.Gpu, configuration.Limits);
            byte[] line = WorkerJson.Write(new WorkerOrder { Start = start });
            Assert.Equal(1, line.Count(value => value == '\n'));
            WorkerStart? arrived = WorkerJson.ReadOrder(line)?.Start;
            Assert.NotNull(arrived);
            Assert.True(camera.IsSameAs(arrived.Camera), $"{camera}\n{arrived.Camera}");
            Assert.Equal(camera.Renditions.Count, arrived.Camera.Renditions.Count);
            Assert.Equal(camera.SourceText, arrived.Camera.SourceText);
            Assert.Equal(("1", 2, "/run", configuration.Gpu, configuration.Limits), (arrived.Version, arrived.ParentProcessId, arrived.Directory, arrived.Gpu, arrived.Limits));
            DaemonConfiguration one = configuration with { Cameras = [camera] }, other = configuration with { Cameras = [arrived.Camera] };
            Assert.Equal(one.Describe("/run"), other.Describe("/run"));
        }
    }

    [Fact]
    public void Whatever_a_worker_says_is_a_report_or_is_none()
    {
        CameraFacts facts = new()
        {
            State = Control.V1.CameraState.Live,
            Reason = "Frames come.",
            Since = 5,
            Streams = [new StreamFacts("a", new Client.StreamFormat(Protocol.PixelFormat.Nv12, 64, 48), Protocol.MemoryDomain.Host, new Client.PublisherStatistics { Subscribers = [new Client.SubscriberStatistics()] })],
            Packets = new PacketFacts("a", new Client.PacketPublisherStatistics()),
            Heartbeat = new CameraHeartbeat(CameraStep.Reading, 8),
        };
        byte[][] seeds =
        [
            WorkerJson.Write(new WorkerReport { Facts = facts }),
            WorkerJson.Write(new WorkerReport { Event = new WorkerEvent(301, "x", "a") }),
            WorkerJson.Write(new WorkerReport { Answer = new WorkerAnswer(3, true) }),
            WorkerJson.Write(new WorkerReport { Claim = new WorkerClaim(3, "a", 1000, 77, 2) }),
            WorkerJson.Write(new WorkerReport { Gone = 3 }),
        ];
        Assert.Equal(facts.Streams[0].Format, WorkerJson.TryReadReport(seeds[0])?.Facts?.Streams[0].Format);
        Assert.Equal(facts.Heartbeat, WorkerJson.TryReadReport(seeds[0])?.Facts?.Heartbeat);
        Random random = new(7);
        int reports = 0;
        for (int round = 0; round < 20_000; round++)
        {
            byte[] line = [.. seeds[random.Next(seeds.Length)]];
            for (int change = random.Next(1, 5); change > 0; change--)
            {
                line[random.Next(line.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : (byte)"{}[]\",:0-nulltrue9.eE"[random.Next(21)];
            }

            reports += WorkerJson.TryReadReport(line.AsSpan(0, random.Next(20) == 0 ? random.Next(line.Length) : line.Length)) is null ? 0 : 1;
        }

        // Some changes are harmless and some are not; else nothing was tried.
        Assert.InRange(reports, 100, 19_900);
        Assert.Null(WorkerJson.TryReadReport(Encoding.UTF8.GetBytes(new string('[', 100_000))));
    }

    [Fact]
    public void A_worker_claims_for_readers_of_its_own_camera_alone_and_its_end_gives_everything_back()
    {
        Client.ReaderQuotas quotas = new();
        quotas.Set(new Client.ReaderQuota { Readers = 3 }, new Dictionary<uint, Client.ReaderQuota> { [7] = new() });
        WorkerShares shares = new("cam", quotas), others = new("other", quotas);
        Assert.Equal(new WorkerGrant(1, 2, null), shares.Take(new WorkerClaim(1, "cam", 1000, 5, 2)));
        Assert.Null(shares.Take(new WorkerClaim(2, "cam@small", 1000, 5, 0)).Obstacle);
        Assert.Null(others.Take(new WorkerClaim(1, "other", 1000, 5, 1)).Obstacle);
        Assert.Contains("may have 3 readers at once", others.Take(new WorkerClaim(2, "other", 1000, 5, 1)).Obstacle, StringComparison.Ordinal);
        WorkerClaim[] wrong =
        [
            new(3, "other", 1000, 5, 1), new(3, "camera", 1000, 5, 1), new(3, "cam@", 1000, 5, 1), new(3, "cam@" + new string('x', 1 << 20), 1000, 5, 1),
            new(3, "", 1000, 5, 1), new(3, null!, 1000, 5, 1), new(3, "cam", 1000, 5, -1), new(3, "cam", 1000, 5, int.MaxValue), new(1, "cam", 1000, 5, 1),
        ];
        Assert.All(wrong, claim => Assert.Throws<InvalidDataException>(() => shares.Take(claim)));
        Assert.Equal(3, quotas.ReadersOf(1000));

        // Nobody gives back what is another's, or what he does not have.
        shares.Give(3);
        shares.Give(ulong.MaxValue);
        shares.Give(1);
        shares.Give(1);
        Assert.Equal(2, quotas.ReadersOf(1000));

        // However much it claims for whomever, there is an end to it, and nothing is left of it.
        ulong number = 10;
        Assert.Throws<InvalidDataException>(() =>
        {
            for (; number < 100_000; number++)
            {
                shares.Take(new WorkerClaim(number, "cam", number % 2 == 0 ? 7 : (uint)number, 5, 64));
            }
        });
        Assert.InRange(number, (ulong)WorkerShares.Most, (ulong)WorkerShares.Most + 20);
        shares.GiveAll();
        Assert.Equal((1, 0), (quotas.ReadersOf(1000), quotas.ReadersOf(7)));
        others.GiveAll();
        Assert.Equal(0, quotas.ReadersOf(1000));
    }

    [Fact]
    public void Lines_are_cut_wherever_the_pipe_cuts_them_and_none_may_be_endless()
    {
        string[] lines = [.. Enumerable.Range(0, 300).Select(length => new string('x', length * 7))];
        using ChunkStream stream = new(Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\nrest"));
        List<string> read = [];
        new LineBuffer(4096).ReadAll(stream, line => read.Add(Encoding.UTF8.GetString(line)));
        Assert.Equal(lines, read);

        using ChunkStream endless = new(new byte[10_000]);
        Assert.Throws<InvalidDataException>(() => new LineBuffer(4096).ReadAll(endless, _ => { }));
    }

    /// <summary>Gives its bytes in pieces of changing size.</summary>
    private sealed class ChunkStream(byte[] content) : MemoryStream(content)
    {
        private readonly Random _random = new(3);

        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, _random.Next(1, 300)));
    }
}
