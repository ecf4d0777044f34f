using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

public sealed partial class LsTests : IDisposable
{
    private const string LongReason = "The camera does not answer: connecting to 192.0.2.10 took longer than 10 s, which is the limit that the configuration sets; the next attempt is made in 8 s.";
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_missing_directory_is_said() =>
        CliProcess.Run(Path.Combine(_directory.Path, "missing"), "ls").RequireFailure(3, "STREAM_NOT_FOUND");

    [Fact]
    public void No_stream_is_no_error()
    {
        CliResult result = CliProcess.Run(_directory.Path, "ls");
        Assert.Equal(0, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.Contains(_directory.Path, result.Errors, StringComparison.Ordinal);

        JsonElement json = CliProcess.Run(_directory.Path, "ls", "--json").Json;
        Assert.Equal(_directory.Path, json.GetProperty("directory").GetString());
        Assert.Equal(0, json.GetProperty("streams").GetArrayLength());
    }

    [Fact]
    public void A_stream_is_listed_with_all_that_its_publisher_says()
    {
        using FramePublisher publisher = FramePublisher.Create(
            "front", new StreamFormat(PixelFormat.P010, 320, 240) { FrameRateNumerator = 30000, FrameRateDenominator = 1001 },
            new PublisherOptions { Directory = _directory.Path, Slots = 4, MaxSlots = 7, Program = "a test", Source = "rtsp://camera/1" });
        using FrameSubscriber subscriber = FrameSubscriber.Connect("front", new SubscriberOptions { Directory = _directory.Path });
        for (int i = 0; i < 3; i++)
        {
            Assert.True(publisher.TryBeginFrame(out FrameWriter frame));
            frame.Publish();
        }

        publisher.SetState(StreamState.SourceLost, LongReason);
        CliResult result = CliProcess.Run(_directory.Path, "ls", "--json");
        result.RequireSuccess();
        JsonElement stream = Assert.Single(result.Json.GetProperty("streams").EnumerateArray());
        Assert.Equal("front", stream.GetProperty("key").GetString());
        Assert.Equal("source_lost", stream.GetProperty("state").GetString());
        Assert.Equal(LongReason, stream.GetProperty("reason").GetString());
        Assert.Equal("p010", stream.GetProperty("format").GetString());
        Assert.Equal(320, stream.GetProperty("width").GetInt32());
        Assert.Equal(240, stream.GetProperty("height").GetInt32());
        Assert.Equal(29.97, stream.GetProperty("fps_announced").GetDouble());
        Assert.Equal(4, stream.GetProperty("slots").GetInt32());
        Assert.Equal(7, stream.GetProperty("max_slots").GetInt32());
        Assert.Equal(1, stream.GetProperty("subscribers").GetInt32());
        Assert.Equal(3, stream.GetProperty("head").GetInt32());
        Assert.Equal(0, stream.GetProperty("dropped").GetInt32());
        Assert.Equal("a test", stream.GetProperty("publisher").GetString());
        Assert.Equal("rtsp://camera/1", stream.GetProperty("source").GetString());
        Assert.Equal("host", stream.GetProperty("memory").GetString());
        Assert.Equal(publisher.Epoch.ToString("x16", CultureInfo.InvariantCulture), stream.GetProperty("epoch").GetString());
        Assert.Equal(JsonValueKind.Null, stream.GetProperty("error").ValueKind);

        string[] lines = CliProcess.Run(_directory.Path, "ls").Lines;
        Assert.Equal(2, lines.Length);
        Assert.Matches("^KEY +STATE +FORMAT +SIZE +FPS +READERS +DROPPED +SLOTS +HEAD +PUBLISHER +REASON$", lines[0]);
        Assert.Matches("^front +source lost +p010 +320x240 +30.0 +1 +0 +4/7 +3 +a test +" + Regex.Escape(LongReason) + "$", lines[1]);
    }

    [Fact]
    public void A_rate_that_is_not_announced_is_measured()
    {
        using PacedPublisher publisher = new(_directory.Path, "front");
        // Nothing was published yet when the thread starts.
        using FrameSubscriber subscriber = FrameSubscriber.Connect("front", new SubscriberOptions { Directory = _directory.Path });
        subscriber.Next(TimeSpan.FromSeconds(90)).Dispose();
        JsonElement stream = Assert.Single(CliProcess.Run(_directory.Path, "ls", "--json").Json.GetProperty("streams").EnumerateArray());
        Assert.Equal(JsonValueKind.Null, stream.GetProperty("fps_announced").ValueKind);
        Assert.InRange(stream.GetProperty("fps").GetDouble(), 1, 120); // a wait of 10 ms may end a millisecond early
    }

    [Fact]
    public void A_socket_that_does_not_speak_our_protocol_is_listed_as_unavailable_and_a_dead_one_is_not()
    {
        using FramePublisher publisher = FramePublisher.Create("good", new PublisherOptions { Directory = _directory.Path });
        using UnixSocket stranger = UnixSocket.Listen(Path.Combine(_directory.Path, "strange.sock"), 4, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllBytes(Path.Combine(_directory.Path, "dead.sock"), []);
        using CliProcess process = CliProcess.Start(_directory.Path, "ls", "--json");
        UnixSocket? connection;
        while (!stranger.TryAccept(out connection))
        {
            stranger.Poll(IoEvents.Readable, 1000);
        }

        using (connection)
        {
            connection!.Send(new byte[64], [], 1000);
            JsonElement[] streams = [.. process.WaitForEnd().Json.GetProperty("streams").EnumerateArray()];
            Assert.Equal(["good", "strange"], streams.Select(stream => stream.GetProperty("key").GetString()!));
            Assert.Equal("starting", streams[0].GetProperty("state").GetString());
            Assert.Equal("unavailable", streams[1].GetProperty("state").GetString());
            Assert.Equal("PROTOCOL_ERROR", streams[1].GetProperty("error").GetProperty("name").GetString());
            Assert.Equal(1, streams[1].GetProperty("error").GetProperty("code").GetInt32());
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Changes_are_told_as_they_come(bool json)
    {
        using CliProcess process = CliProcess.Start(_directory.Path, ["ls", "--watch", .. json ? (string[])["--json"] : []]);
        void Expect(string kind, string state)
        {
            if (json)
            {
                JsonElement change = process.WaitForObject(found => found.GetProperty("event").GetString() == kind);
                Assert.Equal("front", change.GetProperty("stream").GetProperty("key").GetString());
                Assert.Equal(state, change.GetProperty("stream").GetProperty("state").GetString());
            }
            else
            {
                process.WaitForLine(line => line.Contains($" {kind} front: {state.Replace('_', ' ')}", StringComparison.Ordinal));
            }
        }

        using (FramePublisher publisher = FramePublisher.Create("front", new PublisherOptions { Directory = _directory.Path }))
        {
            Expect("added", "starting");
            publisher.SetState(StreamState.SourceLost, "The cable is out.");
            Expect("changed", "source_lost");
        }

        Expect("removed", "source_lost");
        process.Signal("INT");
        process.WaitForEnd().RequireSuccess();
    }

    [Fact]
    public void In_a_terminal_no_line_is_wider_than_it()
    {
        const int columns = 72;
        using FramePublisher publisher = FramePublisher.Create(
            "a-rather-long-key-of-a-stream", new StreamFormat(PixelFormat.Nv12, 1920, 1080), new PublisherOptions { Directory = _directory.Path });
        publisher.SetState(StreamState.SourceLost, LongReason);
        // script(1) gives the program a terminal of its own.
        using CliProcess process = CliProcess.StartOther(
            _directory.Path, "env", "TERM=xterm-256color", "script", "-qec", $"stty cols {columns} rows 40; exec {CliProcess.Program} ls", "/dev/null");
        CliResult result = process.WaitForEnd();
        Assert.Equal(0, result.ExitCode);
        string[] lines = [.. result.Lines.Select(line => Escapes().Replace(line, "").TrimEnd('\r'))];
        Assert.Contains(lines, line => line.StartsWith('╭'));
        Assert.Contains(lines, line => line.Contains("a-rather-long-key-of-a-stream │ source lost │", StringComparison.Ordinal));
        Assert.All(lines, line => Assert.InRange(line.Length, 0, columns));
        // Wrapped, not cut.
        string words = string.Join(' ', lines.SelectMany(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
        Assert.Contains(LongReason, words, StringComparison.Ordinal);
    }

    [GeneratedRegex("\x1b(\\[[0-9;?]*[a-zA-Z]|=)")]
    private static partial Regex Escapes();
}
