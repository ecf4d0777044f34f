using System.Text.Json;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

public sealed class StatTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_stream_that_is_not_there_is_said() =>
        CliProcess.Run(_directory.Path, "stat", "front").RequireFailure(3, "STREAM_NOT_FOUND");

    [Fact]
    public void Rates_are_measured_and_added_up()
    {
        using PacedPublisher moving = new(_directory.Path, "moving");
        using FramePublisher still = FramePublisher.Create(
            "still", new StreamFormat(PixelFormat.Nv12, 64, 48), new PublisherOptions { Directory = _directory.Path, Slots = 2, MaxSlots = 2 });
        DropOne(still);

        CliResult result = CliProcess.Run(_directory.Path, "stat", "--json");
        result.RequireSuccess();
        JsonElement[] streams = [.. result.Json.GetProperty("streams").EnumerateArray()];
        Assert.Equal(["moving", "still"], streams.Select(stream => stream.GetProperty("stream").GetProperty("key").GetString()!));
        double fps = streams[0].GetProperty("stream").GetProperty("fps").GetDouble();
        Assert.InRange(fps, 1, 120); // a wait of 10 ms may end a millisecond early
        Assert.Equal(0, streams[1].GetProperty("stream").GetProperty("fps").GetDouble());
        Assert.Equal(1, streams[1].GetProperty("stream").GetProperty("dropped").GetInt32());
        Assert.Equal(0, streams[1].GetProperty("dropped_per_second").GetDouble());
        JsonElement sum = result.Json.GetProperty("sum");
        Assert.Equal(2, sum.GetProperty("streams").GetInt32());
        Assert.Equal(fps, sum.GetProperty("fps").GetDouble());
        Assert.Equal(1, sum.GetProperty("dropped").GetInt32());
        Assert.Equal(8, sum.GetProperty("slots").GetInt32());
        Assert.Equal(
            streams.Sum(stream => stream.GetProperty("stream").GetProperty("memory_bytes").GetInt64()), sum.GetProperty("memory_bytes").GetInt64());

        string[] lines = CliProcess.Run(_directory.Path, "stat").Lines;
        Assert.Equal(4, lines.Length);
        Assert.Matches("^SUM +2 streams ", lines[3]);
        Assert.Equal(2, CliProcess.Run(_directory.Path, "stat", "still").Lines.Length);
    }

    /// <summary>Both slots are held or newest: a third frame has no place.</summary>
    private void DropOne(FramePublisher publisher)
    {
        using FrameSubscriber subscriber = FrameSubscriber.Connect(publisher.Key, new SubscriberOptions { Directory = _directory.Path, Leases = 2 });
        for (int i = 0; i < 2; i++)
        {
            Assert.True(publisher.TryBeginFrame(out FrameWriter frame));
            frame.Publish();
            _ = subscriber.Next(TimeSpan.FromSeconds(90));
        }

        Assert.False(publisher.TryBeginFrame(out _));
    }
}
