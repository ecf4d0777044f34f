using System.Text.Json;
using CuFrames.Client;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

public sealed class WatchTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_stream_that_is_not_there_is_said() =>
        CliProcess.Run(_directory.Path, "watch", "front").RequireFailure(3, "STREAM_NOT_FOUND");

    [Fact]
    public void Lossless_delivery_that_is_not_offered_is_refused()
    {
        using PacedPublisher publisher = new(_directory.Path, "front");
        CliProcess.Run(_directory.Path, "watch", "front", "--delivery", "lossless").RequireFailure(4, "DELIVERY_NOT_GRANTED");
    }

    [Fact]
    public void A_stream_without_frames_times_out()
    {
        using FramePublisher publisher = FramePublisher.Create("front", new PublisherOptions { Directory = _directory.Path });
        CliResult result = CliProcess.Run(_directory.Path, "watch", "front", "--seconds", "0.5", "--json");
        Assert.Equal(5, result.ExitCode);
        Assert.StartsWith("cuframes: TIMED_OUT: ", result.Errors, StringComparison.Ordinal);
        Assert.Equal(0, result.Objects[^1].GetProperty("frames").GetInt32());
        Assert.Equal(JsonValueKind.Null, result.Objects[^1].GetProperty("latency_us").GetProperty("publish").ValueKind);
    }

    [Theory]
    [InlineData("newest")]
    [InlineData("in-order")]
    [InlineData("lossless")]
    public void Every_second_is_reported_and_the_total_adds_them_up(string delivery)
    {
        using PacedPublisher publisher = new(_directory.Path, "front", new PublisherOptions { LosslessTimeout = TimeSpan.FromSeconds(90) });
        CliResult result = CliProcess.Run(_directory.Path, "watch", "front", "--seconds", "2.5", "--json", "--delivery", delivery);
        result.RequireSuccess();
        JsonElement[] intervals = result.Objects[..^1];
        JsonElement total = result.Objects[^1];

        // One for each second that has passed: on a busy machine the end comes later than it was asked for.
        Assert.InRange(intervals.Length, 1, (int)total.GetProperty("seconds").GetDouble());
        Assert.All(intervals, interval => Assert.Equal("interval", interval.GetProperty("type").GetString()));
        Assert.Equal("total", total.GetProperty("type").GetString());
        Assert.Equal("front", total.GetProperty("key").GetString());
        Assert.Equal("live", total.GetProperty("state").GetString());
        Assert.InRange(total.GetProperty("seconds").GetDouble(), 2.5, 30);
        Assert.InRange(total.GetProperty("frames").GetInt32(), 1 + intervals.Sum(interval => interval.GetProperty("frames").GetInt32()) - 1, 10_000);
        Assert.True(total.GetProperty("frames").GetInt32() > 0);
        JsonElement latency = total.GetProperty("latency_us").GetProperty("publish");
        double[] percentiles = [.. ((string[])["p50", "p99", "p999", "max"]).Select(name => latency.GetProperty(name).GetDouble())];
        Assert.True(percentiles[0] > 0);
        Assert.Equal(percentiles.Order(), percentiles);
        // These frames do not say when their data arrived.
        Assert.Equal(JsonValueKind.Null, total.GetProperty("latency_us").GetProperty("arrival").ValueKind);
        if (delivery == "lossless")
        {
            Assert.Equal(0, total.GetProperty("missed").GetInt32());
        }
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public void An_interruption_ends_it_with_the_total(string signal)
    {
        using PacedPublisher publisher = new(_directory.Path, "front");
        using CliProcess process = CliProcess.Start(_directory.Path, "watch", "front", "--json");
        process.WaitForObject(report => report.GetProperty("frames").GetInt32() > 0);
        process.Signal(signal);
        CliResult result = process.WaitForEnd();
        result.RequireSuccess();
        Assert.Equal("total", result.Objects[^1].GetProperty("type").GetString());
    }

    [Fact]
    public void It_goes_on_when_the_publisher_comes_back()
    {
        CliProcess process;
        using (PacedPublisher first = new(_directory.Path, "front"))
        {
            process = CliProcess.Start(_directory.Path, "watch", "front", "--json");
            process.WaitForObject(report => report.GetProperty("frames").GetInt32() > 0);
        }

        using (process)
        {
            process.WaitForObject(report => report.GetProperty("state").GetString() == "waiting" && report.GetProperty("event").ValueKind == JsonValueKind.String);
            using PacedPublisher second = new(_directory.Path, "front");
            process.WaitForObject(report => report.GetProperty("reconnects").GetInt32() == 1);
            process.WaitForObject(report => report.GetProperty("frames").GetInt32() > 0 && report.GetProperty("state").GetString() == "live");
            process.Signal("INT");
            CliResult result = process.WaitForEnd();
            result.RequireSuccess();
            Assert.Equal(1, result.Objects[^1].GetProperty("reconnects").GetInt32());
        }
    }

    [Fact]
    public void Without_json_there_is_a_line_per_second()
    {
        using PacedPublisher publisher = new(_directory.Path, "front");
        CliResult result = CliProcess.Run(_directory.Path, "watch", "front", "--seconds", "1.5");
        result.RequireSuccess();
        // The second that it is told in: the first on a machine that is not busy.
        Assert.Matches(@"^ +\d+ s  live  [0-9.]+ fps  missed \d+  lag \d*  publish to take p50 .*, p99 .*  arrival to take -$", result.Lines[0]);
        Assert.StartsWith("total: ", result.Lines[^1], StringComparison.Ordinal);
    }
}
