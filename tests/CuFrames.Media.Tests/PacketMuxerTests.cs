using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Packets that went through a ring and the muxer, against the file that they came from.</summary>
public sealed class PacketMuxerTests
{
    private static readonly string[] AacSound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"];

    public static TheoryData<string, PacketContainer, bool> Cases()
    {
        TheoryData<string, PacketContainer, bool> cases = [];
        foreach (string source in (string[])["h264.mp4", "h264.ts", "h264.mkv", "hevc.mp4", "hevc.ts"])
        {
            foreach (PacketContainer container in Enum.GetValues<PacketContainer>())
            {
                cases.Add(source, container, true);
                cases.Add(source, container, false);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Packets_and_times_are_those_of_the_source(string name, PacketContainer container, bool canSeek)
    {
        using MediaClips clips = new();
        string codec = name[..4];
        string source = MakeClip(clips, name, codec);
        string result = clips.PathOf("result." + EndingOf(container));
        DemuxedFile file = DemuxedFile.Read(source);
        using (PacketRun run = new(file))
        {
            using FileStream target = File.Create(result);
            using Stream output = canSeek ? target : new ForwardStream(target);
            using PacketMuxer muxer = new(output, container, run.Subscriber.Tracks);
            run.WriteAll(muxer);
            muxer.Finish();
            Assert.Equal(file.Packets.Count, muxer.PacketsWritten);
            Assert.Equal((0L, 0L, 0), (muxer.PacketsRefused, muxer.PacketsHeld, muxer.TimeJumps));
            Assert.Equal(target.Length, muxer.BytesWritten);
        }

        Assert.Equal("", PacketDigest.Faults(result));
        foreach ((string track, string kind) in ((string, string)[])[("v:0", codec), ("a:0", "aac")])
        {
            string[] expected = PacketDigest.Of(source, track, kind);
            Assert.True(expected.Length > 50, $"{expected.Length} packets");
            Assert.Equal(expected, PacketDigest.Of(result, track, kind));

            // Matroska has milliseconds, and half of one is lost at each end of a difference.
            double[] times = PacketDigest.Times(result, track, kind);
            double[] wanted = PacketDigest.Times(source, track, kind);
            for (int i = 0; i < times.Length; i++)
            {
                Assert.True(Math.Abs(times[i] - times[0] - (wanted[i] - wanted[0])) <= 0.00101, $"{track} packet {i}: {times[i] - times[0]} s, not {wanted[i] - wanted[0]} s");
            }
        }
    }

    internal static string EndingOf(PacketContainer container) => container switch
    {
        PacketContainer.Mp4 => "mp4",
        PacketContainer.Matroska => "mkv",
        _ => "ts",
    };

    internal static string MakeClip(MediaClips clips, string name, string codec, double seconds = 3, int width = 320, int height = 240) => clips.Make(
        name,
        [
            .. MediaClips.Moving(width, height, seconds), .. AacSound, "-t", seconds.ToString(System.Globalization.CultureInfo.InvariantCulture),
            .. codec == "h264"
                ? (string[])["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-threads", "1"]
                : ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=1:keyint=25"],
            "-g", "25", "-c:a", "aac", "-b:a", "64k",
        ]);
}
