using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>What a publisher may send that is no good: the muxer says so, or makes the best of it, and goes on.</summary>
public sealed class HostileMuxerTests
{
    private static readonly byte[] Bytes = [0, 0, 0, 1, 9, 16];

    private static readonly TrackParameters Video = new()
    {
        Codec = Codec.H264,
        CodecName = "h264",
        TimeBaseDenominator = 90_000,
        Width = 320,
        Height = 240,
        FrameRateNumerator = 25,
        FrameRateDenominator = 1,
        ColourMatrix = 2,
        ColourPrimaries = 2,
        ColourTransfer = 2,
    };

    private static readonly TrackParameters Alaw = new()
    {
        Codec = Codec.PcmAlaw,
        CodecName = "pcm_alaw",
        TimeBaseDenominator = 8000,
        SampleRate = 8000,
        Channels = 1,
        BitsPerSample = 8,
    };

    [Fact]
    public void A_codec_that_a_container_cannot_carry_is_named_with_those_that_can()
    {
        using PacketRun run = new();
        PacketTrack track = run.Publisher.AddTrack(TrackKind.Audio, Alaw);
        MediaException error = Assert.Throws<MediaException>(() => new PacketMuxer(new MemoryStream(), PacketContainer.MpegTs, [track]));
        Assert.Equal(MediaError.NotCarried, error.Error);
        Assert.Contains("MPEG-TS cannot carry track 0, which is audio coded as pcm_alaw.", error.Message, StringComparison.Ordinal);
        Assert.Contains("Matroska can.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sound_in_G711_goes_into_Matroska_as_it_is()
    {
        using MediaClips clips = new();
        string source = clips.Make("source.wav", "-f", "lavfi", "-i", "sine=sample_rate=8000:duration=2", "-c:a", "pcm_alaw");
        string result = clips.PathOf("result.mkv");
        DemuxedFile file = DemuxedFile.Read(source);
        using (PacketRun run = new(file))
        {
            using FileStream output = File.Create(result);
            using PacketMuxer muxer = new(output, PacketContainer.Matroska, run.Subscriber.Tracks);
            run.WriteAll(muxer);
            muxer.Finish();
        }

        Assert.Equal("", PacketDigest.Faults(result));
        Assert.Equal(PacketDigest.Of(source, "a:0", "pcm_alaw"), PacketDigest.Of(result, "a:0", "pcm_alaw"));
    }

    [Theory]
    [InlineData(PacketContainer.Mp4)]
    [InlineData(PacketContainer.Matroska)]
    public void Pictures_without_parameter_sets_anywhere_are_an_error(PacketContainer container)
    {
        using PacketRun run = new();
        PacketTrack track = run.Publisher.AddTrack(TrackKind.Video, Video);
        Publish(run, track, 0, PacketFlags.Key);
        using PacketMuxer muxer = new(new MemoryStream(), container, run.Subscriber.Tracks);
        MediaException error = Assert.Throws<MediaException>(() => Write(run, muxer));
        Assert.Equal(MediaError.InvalidArgument, error.Error);
        Assert.Contains("parameter sets", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PacketContainer.Mp4)]
    [InlineData(PacketContainer.Matroska)]
    public void Extradata_that_is_nonsense_is_an_error(PacketContainer container)
    {
        using PacketRun run = new();
        PacketTrack track = run.Publisher.AddTrack(TrackKind.Video, Video with { Extradata = new byte[] { 0, 0, 0, 1, 0xff, 0xfe, 0xfd, 0, 0, 1 } });
        Publish(run, track, 0, PacketFlags.Key);
        using PacketMuxer muxer = new(new MemoryStream(), container, run.Subscriber.Tracks);
        Assert.Throws<MediaException>(() =>
        {
            Write(run, muxer);
            muxer.Finish();
        });
    }

    [Fact]
    public void A_packet_without_bytes_or_with_times_beyond_all_clocks_is_left_out()
    {
        using PacketRun run = new();
        PacketTrack track = run.Publisher.AddTrack(TrackKind.Audio, Alaw with { TimeBaseNumerator = int.MaxValue, TimeBaseDenominator = 1 });
        run.Publisher.Publish(track, [], Times(0));
        run.Publisher.Publish(track, Bytes, Times(long.MaxValue));
        run.Publisher.Publish(track, Bytes, Times(1));
        using PacketMuxer muxer = new(new MemoryStream(), PacketContainer.Matroska, run.Subscriber.Tracks);
        Assert.Equal(MediaError.InvalidData, Assert.Throws<MediaException>(() => Write(run, muxer)).Error);
        Assert.Equal(MediaError.InvalidData, Assert.Throws<MediaException>(() => Write(run, muxer)).Error);
        Write(run, muxer);
        muxer.Finish();
        Assert.Equal((1L, 2L), (muxer.PacketsWritten, muxer.PacketsRefused));
    }

    /// <summary>Times that jump, go back, stand still or are missing: the output's grow, and every packet is in it.</summary>
    [Theory]
    [InlineData(PacketContainer.Mp4)]
    [InlineData(PacketContainer.Matroska)]
    [InlineData(PacketContainer.MpegTs)]
    public void Wild_times_become_times_that_grow(PacketContainer container)
    {
        using MediaClips clips = new();
        string source = PacketMuxerTests.MakeClip(clips, "h264.ts", "h264");
        string result = clips.PathOf("result." + PacketMuxerTests.EndingOf(container));
        DemuxedFile file = DemuxedFile.Read(source);
        Random random = new(5);
        using (PacketRun run = new())
        {
            PacketTrack[] tracks = file.AddTracks(run.Publisher);
            long offset = 0;
            foreach (DemuxedPacket packet in file.Packets)
            {
                PacketMetadata times = packet.Metadata;
                offset = random.Next(30) switch
                {
                    0 => random.NextInt64(long.MinValue / 4, long.MaxValue / 4),
                    1 => -times.Dts,
                    2 => 0,
                    _ => offset,
                };
                (times.Dts, times.Pts) = (times.Dts + offset, times.Pts + offset);
                switch (random.Next(20))
                {
                    case 0: times.Dts = FrameMetadata.UnknownPts; break;
                    case 1: times.Pts = FrameMetadata.UnknownPts; break;
                    case 2: (times.Dts, times.Pts) = (FrameMetadata.UnknownPts, FrameMetadata.UnknownPts); break;
                    case 3: times.Pts = times.Dts - 900; break;
                    case 4: times.Pts = long.MaxValue; break;
                    case 5: times.Flags |= PacketFlags.Discontinuity; break;
                    case 6: times.Duration = long.MaxValue; break;
                    default: break;
                }

                run.Publisher.Publish(tracks[packet.Track], packet.Data, times);
            }

            using FileStream output = File.Create(result);
            using PacketMuxer muxer = new(output, container, run.Subscriber.Tracks);
            run.WriteAll(muxer);
            muxer.Finish();
            Assert.Equal((file.Packets.Count, 0L), (muxer.PacketsWritten, muxer.PacketsRefused));
            Assert.True(muxer.TimesRepaired > 0 && muxer.TimeJumps > 0);
        }

        foreach ((string track, string codec) in ((string, string)[])[("v:0", "h264"), ("a:0", "aac")])
        {
            Assert.Equal(PacketDigest.Of(source, track, codec), PacketDigest.Of(result, track, codec));
        }
    }

    [Fact]
    public void Parameters_that_change_end_Matroska_and_go_on_in_MPEG_TS()
    {
        using MediaClips clips = new();
        string first = PacketMuxerTests.MakeClip(clips, "h264.mp4", "h264");
        string second = PacketMuxerTests.MakeClip(clips, "other.mp4", "h264", 2, 640, 360);
        DemuxedFile small = DemuxedFile.Read(first);
        DemuxedFile large = DemuxedFile.Read(second);
        string result = clips.PathOf("result.ts");
        using (PacketRun run = new(small))
        {
            using PacketMuxer matroska = new(new MemoryStream(), PacketContainer.Matroska, run.Subscriber.Tracks);
            using FileStream output = File.Create(result);
            using PacketMuxer ts = new(output, PacketContainer.MpegTs, run.Subscriber.Tracks);
            while (run.Subscriber.TryTake(out Packet packet))
            {
                matroska.Write(packet);
                ts.Write(packet);
            }

            run.Publisher.SetParameters(run.Publisher.Tracks[0], large.Tracks[0].Parameters);
            large.Publish(run.Publisher, run.Publisher.Tracks);
            bool isFirst = true;
            while (run.Subscriber.TryTake(out Packet packet))
            {
                if (isFirst)
                {
                    Assert.Equal(MediaError.ParametersChanged, Assert.Throws<MediaException>(() => matroska.Write(packet)).Error);
                    isFirst = false;
                }

                ts.Write(packet);
            }

            matroska.Finish();
            ts.Finish();
            Assert.Equal(small.Packets.Count, matroska.PacketsWritten);
            Assert.Equal(small.Packets.Count + large.Packets.Count, ts.PacketsWritten);
            Assert.Equal(output.Length, ts.BytesWritten);
        }

        Assert.Equal("", PacketDigest.Faults(result));
        Assert.Equal([.. PacketDigest.Of(first, "v:0", "h264"), .. PacketDigest.Of(second, "v:0", "h264")], PacketDigest.Of(result, "v:0", "h264"));
    }

    [Fact]
    public void An_output_that_fails_is_its_own_error()
    {
        using PacketRun run = new();
        PacketTrack track = run.Publisher.AddTrack(TrackKind.Audio, Alaw);
        run.Publisher.Publish(track, Bytes, Times(0));
        using FileStream full = new("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        using PacketMuxer muxer = new(new ForwardStream(full), PacketContainer.Matroska, run.Subscriber.Tracks);
        Assert.Throws<IOException>(() => Write(run, muxer));
    }

    private static PacketMetadata Times(long time)
    {
        PacketMetadata metadata = PacketMetadata.Unknown;
        (metadata.Dts, metadata.Pts) = (time, time);
        return metadata;
    }

    private static void Publish(PacketRun run, PacketTrack track, long time, PacketFlags flags)
    {
        PacketMetadata metadata = Times(time);
        metadata.Flags = flags;
        run.Publisher.Publish(track, Bytes, metadata);
    }

    private static void Write(PacketRun run, PacketMuxer muxer)
    {
        Assert.True(run.Subscriber.TryTake(out Packet packet));
        muxer.Write(packet);
    }
}
