using System.Globalization;
using CuFrames.Client;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

/// <summary>Publishes the packets of files as a camera would send them, and keeps the files to compare recordings with.</summary>
internal sealed class RecordSource : IDisposable
{
    private readonly MediaClips _clips = new();
    private readonly TemporaryDirectory _directory = new();

    public string Directory => _directory.Path;

    /// <summary>A folder for recordings.</summary>
    public string Folder => _clips.Folder;

    /// <summary>A clip in H.264, a key frame each second, with sound in AAC.</summary>
    public (string Path, DemuxedFile File) Clip(string name, double seconds, int width = 320, int height = 240)
    {
        string path = _clips.Make(
            name,
            [
                .. MediaClips.Moving(width, height, seconds), "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", seconds.ToString(CultureInfo.InvariantCulture),
                "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-threads", "1", "-g", "25", "-c:a", "aac",
            ]);
        return (path, DemuxedFile.Read(path));
    }

    public string PathOf(string name) => Path.Combine(Folder, name);

    public PacketPublisher Publish(long bytes = 64 << 20, int packets = 8192) =>
        PacketPublisher.Create("front", new PacketPublisherOptions { Directory = Directory, ByteCapacity = bytes, MaxPackets = packets });

    /// <summary>Publishes packets at the pace of their times, all of a file or the first ones.</summary>
    public static void Play(PacketPublisher publisher, DemuxedFile file, IReadOnlyList<PacketTrack> tracks, double rate = 1, int first = int.MaxValue)
    {
        System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
        double? begin = null;
        foreach (DemuxedPacket packet in file.Packets.Take(first))
        {
            double time = packet.Metadata.Dts * (double)file.Tracks[packet.Track].Parameters.TimeBaseNumerator / file.Tracks[packet.Track].Parameters.TimeBaseDenominator;
            begin ??= time;
            double wait = ((time - begin.Value) / rate) - clock.Elapsed.TotalSeconds;
            if (wait > 0)
            {
                // A camera's pace is what is played here.
                Thread.Sleep(TimeSpan.FromSeconds(wait));
            }

            publisher.Publish(tracks[packet.Track], packet.Data, packet.Metadata);
        }
    }

    public void Dispose()
    {
        _clips.Dispose();
        _directory.Dispose();
    }
}
