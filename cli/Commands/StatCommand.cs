using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes stat</c>: figures of streams, measured between two probes a second apart.</summary>
internal static class StatCommand
{
    private static readonly TimeSpan MeasureTime = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        Argument<string?> key = new("KEY") { Description = "The stream's key; all streams if left out.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("stat", "Measure rates, drops, evictions and memory, over one second.") { key, json };
        command.SetAction(parse => Run(parse.GetValue(key), parse.GetValue(json)));
        return command;
    }

    private static int Run(string? key, bool json)
    {
        using Interruption interruption = new();
        IReadOnlyList<StreamProbe> before = Ask(key);
        interruption.Token.WaitHandle.WaitOne(MeasureTime);
        interruption.Token.ThrowIfCancellationRequested();
        IReadOnlyList<StreamProbe> now = Ask(key);
        List<StatReport> streams = [.. now.Select(probe => StatReport.From(probe, before.FirstOrDefault(earlier => earlier.Info.Key == probe.Info.Key)))];
        SumReport sum = new(
            streams.Count,
            Math.Round(streams.Sum(stream => stream.Stream.Fps ?? 0), 1),
            Math.Round(streams.Sum(stream => stream.DroppedPerSecond ?? 0), 1),
            Sum(streams, stream => stream.Dropped),
            Sum(streams, stream => stream.Evicted),
            streams.Sum(stream => stream.Stream.Subscribers ?? 0),
            streams.Sum(stream => stream.Stream.Slots ?? 0),
            Sum(streams, stream => stream.MemoryBytes),
            Sum(streams, stream => stream.Device is null ? 0 : stream.MemoryBytes));
        if (json)
        {
            JsonLine.Write(new { Streams = streams, Sum = sum });
        }
        else
        {
            Print(streams, sum, hasSum: key is null);
        }

        return ExitCode.Success;
    }

    private static IReadOnlyList<StreamProbe> Ask(string? key)
    {
        if (key is null)
        {
            return StreamProbe.AskAll();
        }

        // Who asks for one stream wants to hear why it does not answer.
        StreamProbe probe = StreamProbe.Ask(key);
        return probe.Info.ErrorCode == ErrorCode.None ? [probe] : throw new StreamUnavailableException(probe.Info.ErrorCode, probe.Info.Error);
    }

    private static ulong Sum(List<StatReport> streams, Func<StreamReport, ulong?> figure) =>
        streams.Aggregate(0UL, (sum, stream) => sum + (figure(stream.Stream) ?? 0));

    private static void Print(List<StatReport> streams, SumReport sum, bool hasSum)
    {
        TextTable table = new("KEY", "STATE", "FORMAT", "#FPS", "#DROPS/S", "#DROPPED", "#EVICTED", "#MEMORY", "DOMAIN", "#READERS", "#SLOTS", "~REASON");
        foreach (StatReport report in streams)
        {
            StreamReport stream = report.Stream;
            table.Add(
                stream.Key,
                stream.State.Replace('_', ' '),
                stream.Format is null ? "" : $"{stream.Format} {stream.Width}x{stream.Height}",
                stream.Error is null ? Words.Rate(stream.Fps) : "",
                stream.Error is null ? Words.Rate(report.DroppedPerSecond) : "",
                $"{stream.Dropped}",
                $"{stream.Evicted}",
                stream.MemoryBytes is { } bytes ? Words.Bytes(bytes) : "",
                Words.Domain(stream.Memory, stream.Device),
                $"{stream.Subscribers}",
                $"{stream.Slots}",
                stream.Reason);
        }

        if (hasSum)
        {
            table.Add("SUM", "", $"{sum.Streams} streams", Words.Rate(sum.Fps), Words.Rate(sum.DroppedPerSecond), $"{sum.Dropped}", $"{sum.Evicted}",
                Words.Bytes(sum.MemoryBytes), sum.DeviceMemoryBytes > 0 ? $"{Words.Bytes(sum.DeviceMemoryBytes)} on GPUs" : "", $"{sum.Subscribers}", $"{sum.Slots}", "");
        }

        table.Write();
    }

    private sealed record StatReport(StreamReport Stream, double? DroppedPerSecond, double? EvictedPerSecond)
    {
        public static StatReport From(StreamProbe probe, StreamProbe? earlier) => new(
            StreamReport.From(probe, earlier),
            probe.PerSecondSince(earlier, description => description.Dropped),
            probe.PerSecondSince(earlier, description => description.Evicted));
    }

    /// <param name="Streams">Streams that were asked.</param>
    /// <param name="Fps">Frames per second of all.</param>
    /// <param name="DroppedPerSecond">Frames dropped per second.</param>
    /// <param name="Dropped">Frames dropped.</param>
    /// <param name="Evicted">Readers evicted.</param>
    /// <param name="Subscribers">Readers now.</param>
    /// <param name="Slots">Slots in use.</param>
    /// <param name="MemoryBytes">Bytes of all segments.</param>
    /// <param name="DeviceMemoryBytes">Those of them that lie on GPUs.</param>
    private sealed record SumReport(
        int Streams, double Fps, double DroppedPerSecond, ulong Dropped, ulong Evicted, int Subscribers, int Slots, ulong MemoryBytes, ulong DeviceMemoryBytes);
}
