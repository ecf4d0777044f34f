using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.TestKit;

/// <summary>Tracks and packets of a media file as libavformat reads them, by a small program of its own and not by the code under test.</summary>
public sealed class DemuxedFile
{
    private static readonly Lazy<string> Program = new(Compile);

    private DemuxedFile(IReadOnlyList<(TrackKind, TrackParameters)> tracks, IReadOnlyList<DemuxedPacket> packets) => (Tracks, Packets) = (tracks, packets);

    /// <summary>The tracks.</summary>
    public IReadOnlyList<(TrackKind Kind, TrackParameters Parameters)> Tracks { get; }

    /// <summary>The packets, in the order of the file.</summary>
    public IReadOnlyList<DemuxedPacket> Packets { get; }

    /// <summary>Reads a file.</summary>
    public static DemuxedFile Read(string path)
    {
        using Process process = Process.Start(new ProcessStartInfo(Program.Value, [path]) { RedirectStandardOutput = true })!;
        using BinaryReader reader = new(process.StandardOutput.BaseStream);
        List<(TrackKind, TrackParameters)> tracks = [];
        for (int count = reader.ReadInt32(); tracks.Count < count;)
        {
            tracks.Add(ReadTrack(reader));
        }

        List<DemuxedPacket> packets = [];
        byte[] word = new byte[4];
        while (reader.BaseStream.ReadAtLeast(word, 4, throwOnEndOfStream: false) == 4)
        {
            int flags = reader.ReadInt32();
            PacketMetadata metadata = PacketMetadata.Unknown;
            metadata.Pts = reader.ReadInt64();
            metadata.Dts = reader.ReadInt64();
            metadata.Duration = reader.ReadInt64();
            metadata.Flags = ((flags & 1) != 0 ? PacketFlags.Key : 0) | ((flags & 2) != 0 ? PacketFlags.Corrupt : 0) | ((flags & 16) != 0 ? PacketFlags.Disposable : 0);
            packets.Add(new DemuxedPacket(BitConverter.ToInt32(word), metadata, reader.ReadBytes(reader.ReadInt32())));
        }

        process.WaitForExit();
        return process.ExitCode == 0 ? new DemuxedFile(tracks, packets) : throw new InvalidOperationException($"{path} cannot be demuxed.");
    }

    /// <summary>Adds the tracks to a publisher.</summary>
    public PacketTrack[] AddTracks(PacketPublisher publisher) => [.. Tracks.Select(track => publisher.AddTrack(track.Kind, track.Parameters))];

    /// <summary>Publishes all packets as fast as it goes.</summary>
    /// <param name="publisher">A publisher with room for all of them.</param>
    /// <param name="tracks">What <see cref="AddTracks"/> returned.</param>
    public void Publish(PacketPublisher publisher, IReadOnlyList<PacketTrack> tracks)
    {
        foreach (DemuxedPacket packet in Packets)
        {
            publisher.Publish(tracks[packet.Track], packet.Data, packet.Metadata);
        }
    }

    private static (TrackKind, TrackParameters) ReadTrack(BinaryReader reader)
    {
        string name = Encoding.ASCII.GetString(reader.ReadBytes(32)).TrimEnd('\0');
        TrackKind kind = (TrackKind)reader.ReadInt32();
        TrackParameters parameters = new()
        {
            Codec = Codecs.FromName(name),
            CodecName = name,
            TimeBaseNumerator = reader.ReadInt32(),
            TimeBaseDenominator = reader.ReadInt32(),
            Width = reader.ReadInt32(),
            Height = reader.ReadInt32(),
            FrameRateNumerator = reader.ReadInt32(),
            FrameRateDenominator = reader.ReadInt32(),
            SampleRate = reader.ReadInt32(),
            Channels = reader.ReadInt32(),
            SamplesPerPacket = reader.ReadInt32(),
            BitsPerSample = reader.ReadInt32(),
            BlockAlign = reader.ReadInt32(),
            InitialPadding = reader.ReadInt32(),
            ReorderDelay = reader.ReadInt32(),
            ColourMatrix = 2,
            ColourPrimaries = 2,
            ColourTransfer = 2,
        };
        return (kind, parameters with { Extradata = reader.ReadBytes(reader.ReadInt32()) });
    }

    private static string Compile()
    {
        string folder = Directory.CreateTempSubdirectory("cuframes-demux-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        string program = Path.Combine(folder, "packet_dump");
        using Process process = Process.Start(
            "sh", ["-c", $"cc -O1 -Wall -Wextra -Werror -std=c11 -o '{program}' '{SourceFile()}' `pkg-config --cflags --libs libavformat libavcodec libavutil`"]);
        process.WaitForExit();
        return process.ExitCode == 0 ? program : throw new InvalidOperationException("packet_dump.c did not compile.");
    }

    private static string SourceFile([CallerFilePath] string path = "") => Path.Combine(Path.GetDirectoryName(path)!, "packet_dump.c");
}
