using System.Text.Json;
using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

public sealed class PublishTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_pattern_arrives_bit_for_bit_and_an_interruption_ends_it_in_order()
    {
        using CliProcess process = CliProcess.Start(_directory.Path, "publish", "front", "test:i420@98x66@50", "--json");
        using (FrameSubscriber subscriber = FrameSubscriber.Connect(
            "front", new SubscriberOptions { Directory = _directory.Path, WaitForStream = true, Delivery = Delivery.InOrder }))
        {
            TestPattern pattern = new(PixelFormat.I420, 98, 66);
            for (int i = 0; i < 30; i++)
            {
                using Frame frame = subscriber.Next(TimeSpan.FromSeconds(90));
                Assert.Equal((PixelFormat.I420, 98, 66), (frame.PixelFormat, frame.Width, frame.Height));
                byte[] found = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
                frame.CopyTo(found);
                Assert.Equal(PictureOf(pattern, (long)frame.Metadata.SourcePacket - 1), found);
            }
        }

        process.WaitForObject(report => report.GetProperty("type").GetString() == "interval" && report.GetProperty("fps").ValueKind == JsonValueKind.Number);
        process.Signal("INT");
        CliResult result = process.WaitForEnd();
        result.RequireSuccess();
        JsonElement total = result.Objects[^1];
        Assert.Equal("total", total.GetProperty("type").GetString());
        Assert.True(total.GetProperty("frames").GetInt32() >= 30);
        Assert.Empty(StreamDirectory.List(_directory.Path));
    }

    [Fact]
    public void A_file_is_published_to_its_end_and_every_frame_of_it()
    {
        using MediaClips clips = new();

        // Long enough for a reader that is let run only some seconds after the first frame.
        string clip = clips.H264("clip.mp4", 128, 96, 5);
        byte[] expected = clips.DecodeReference(clip, "yuv420p");
        using CliProcess process = CliProcess.Start(_directory.Path, "publish", "front", clip, "--json", "--lossless", "90");
        List<byte[]> pictures = [];
        using (FrameSubscriber subscriber = FrameSubscriber.Connect(
            "front", new SubscriberOptions { Directory = _directory.Path, WaitForStream = true, Delivery = Delivery.Lossless, Reconnect = true }))
        {
            bool isLast = false;
            while (!isLast)
            {
                using Frame frame = subscriber.Next(TimeSpan.FromSeconds(90));
                byte[] picture = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
                frame.CopyTo(picture);
                pictures.Add(picture);
                isLast = (frame.Metadata.Flags & FrameFlags.EndOfStream) != 0;
            }
        }

        CliResult result = process.WaitForEnd();
        result.RequireSuccess();
        Assert.Equal(125, result.Objects[^1].GetProperty("frames").GetInt32());
        Assert.Equal("ended", result.Objects[^1].GetProperty("state").GetString());

        // The reader may have come after the first frames; from its first frame on it has all.
        byte[] all = [.. pictures.SelectMany(picture => picture)];
        Assert.True(all.AsSpan().SequenceEqual(expected.AsSpan(expected.Length - all.Length)));
    }

    [Fact]
    public void A_key_that_is_taken_is_refused()
    {
        using FramePublisher publisher = FramePublisher.Create("front", new PublisherOptions { Directory = _directory.Path });
        CliProcess.Run(_directory.Path, "publish", "front", "test").RequireFailure(4, "ALREADY_PUBLISHED");
    }

    [Theory]
    [InlineData("test:")]
    [InlineData("test:nv12@0x0")]
    [InlineData("test:yuv9@64x64")]
    [InlineData("test:64x64@fast")]
    public void A_pattern_that_cannot_be_is_refused(string source) =>
        CliProcess.Run(_directory.Path, "publish", "front", source).RequireFailure(2, "CONFIGURATION_INVALID");

    [Fact]
    public void A_file_that_is_not_there_ends_it_at_once()
    {
        CliResult result = CliProcess.Run(_directory.Path, "publish", "front", "/nowhere/clip.mp4", "--json");
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith("cuframes: SOURCE_FAILED: ", result.Errors, StringComparison.Ordinal);
        Assert.Contains("/nowhere/clip.mp4", result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_camera_that_is_away_is_tried_again_and_its_password_is_never_shown(bool json)
    {
        // Nobody listens on port 1 of this machine.
        const string url = "rtsp://viewer:hunter2@127.0.0.1:1/live?token=sesame77";
        using CliProcess process = CliProcess.Start(_directory.Path, ["publish", "front", url, .. json ? (string[])["--json"] : []]);
        process.WaitForLine(line => line.Contains(json ? "\"state\":\"source_lost\"" : "source_lost: ", StringComparison.Ordinal));
        StreamInfo stream = Assert.Single(StreamDirectory.List(_directory.Path));
        Assert.Equal(StreamState.SourceLost, stream.Description?.State);
        process.Signal("TERM");
        CliResult result = process.WaitForEnd();
        result.RequireSuccess();
        foreach (string text in (string[])[result.Output, stream.Source, stream.StateText])
        {
            Assert.Contains("127.0.0.1", text, StringComparison.Ordinal);
            Assert.DoesNotContain("hunter2", text, StringComparison.Ordinal);
            Assert.DoesNotContain("sesame77", text, StringComparison.Ordinal);
        }
    }

    private static unsafe byte[] PictureOf(TestPattern pattern, long number)
    {
        byte[] picture = new byte[PixelFormats.PictureBytes(pattern.Format, pattern.Width, pattern.Height)];
        fixed (byte* first = picture)
        {
            List<PicturePlane> planes = [];
            int offset = 0;
            for (int plane = 0; plane < PixelFormats.PlaneCount(pattern.Format); plane++)
            {
                int pitch = PixelFormats.RowBytes(pattern.Format, plane, pattern.Width);
                planes.Add(new PicturePlane((nint)(first + offset), (nuint)pitch));
                offset += pitch * PixelFormats.Rows(pattern.Format, plane, pattern.Height);
            }

            pattern.Fill(planes.ToArray(), number);
        }

        return picture;
    }
}
