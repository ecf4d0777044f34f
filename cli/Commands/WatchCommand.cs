using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using Spectre.Console;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes watch KEY</c>: reads a stream as any program would and shows rate, latency and losses, second by second.</summary>
internal static class WatchCommand
{
    private const long Second = 1_000_000_000;

    /// <summary>Longest wait for a frame: how late an interruption may be noticed.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(100);

    public static Command Create()
    {
        Argument<string> key = Options.Key();
        Option<string> delivery = Options.Delivery();
        Option<double?> seconds = Options.Seconds("--seconds", "Stop after this time. Default: when interrupted.");
        Option<bool> json = Options.Json("One JSON object per second and a final one.");
        Command command = new("watch", "Read a stream and show rate, latency and missed frames.") { key, delivery, seconds, json };
        command.SetAction(parse => Run(
            parse.GetRequiredValue(key), Options.DeliveryOf(parse.GetRequiredValue(delivery)), parse.GetValue(seconds), parse.GetValue(json)));
        return command;
    }

    private static int Run(string key, Delivery delivery, double? seconds, bool json)
    {
        using Interruption interruption = new();
        using WatchSession session = new(key, delivery);
        long end = seconds is { } limit ? session.Started + (long)(limit * Second) : long.MaxValue;
        if (json)
        {
            Read(session, end, interval => JsonLine.Write(interval), interruption.Token);
            JsonLine.Write(session.Total());
        }
        else if (Console.IsOutputRedirected)
        {
            Read(session, end, interval => Output.Line(TextOf(interval)), interruption.Token);
            Output.Line("total: " + TextOf(session.Total()));
        }
        else
        {
            AnsiConsole.Live(new Text($"Waiting for a frame of {key}.", new Style(Color.Grey))).Start(context =>
            {
                Read(session, end, interval => context.UpdateTarget(TableOf(session, interval).ToRenderable(AnsiConsole.Profile.Width)), interruption.Token);
                context.UpdateTarget(TableOf(session, null).ToRenderable(AnsiConsole.Profile.Width));
            });
        }

        return session.Total().Frames > 0 || interruption.Token.IsCancellationRequested
            ? ExitCode.Success
            : throw new CuFramesException(ErrorCode.TimedOut, $"No frame of stream '{key}' came within {seconds} s; the stream is {session.StateText}.");
    }

    private static void Read(WatchSession session, long end, Action<WatchReport> tell, CancellationToken cancellation)
    {
        long tick = session.Started + Second;
        while (!cancellation.IsCancellationRequested)
        {
            long now = MonotonicClock.NowNanoseconds;
            if (now >= tick)
            {
                tell(session.EndInterval(now));
                tick += (((now - tick) / Second) + 1) * Second;
            }

            if (now >= end)
            {
                return;
            }

            TimeSpan wait = TimeSpan.FromTicks(Math.Min(Math.Min(tick, end) - now, (long)LongestWait.TotalNanoseconds) / 100);
            session.TakeOne(wait);
        }
    }

    private static string TextOf(WatchReport report) => FormattableString.Invariant(
        $"{report.Seconds,4:0} s  {report.State.Replace('_', ' ')}  {report.Fps:0.0} fps  missed {report.Missed}  lag {report.Lag}  publish to take {Percentiles(report.LatencyUs.Publish)}  arrival to take {Percentiles(report.LatencyUs.Arrival)}") +
        (report.Device is null ? "" : $"  {Words.Domain(report.Memory, report.Device)}, fence {report.Fence ?? "-"}") +
        (report.Event is null ? "" : $"  [{report.Event}]");

    private static string Percentiles(LatencyFigures? figures) => figures is null
        ? "-"
        : $"p50 {Words.Microseconds(figures.P50)}, p99 {Words.Microseconds(figures.P99)}, p99.9 {Words.Microseconds(figures.P999)}";

    private static TextTable TableOf(WatchSession session, WatchReport? interval)
    {
        WatchReport total = session.Total();
        TextTable table = new(session.Key, interval is null ? "" : "#LAST SECOND", "#ALL");
        void Add(string name, Func<WatchReport, string> cell) => table.Add(name, interval is null ? "" : cell(interval), cell(total));
        string state = (interval ?? total).State.Replace('_', ' ');
        table.Add("state", interval is null ? "" : state, interval is null ? state : "");
        table.Add("format", "", session.FormatText);
        if (total.Device is not null)
        {
            table.Add("memory", "", session.DeviceText);
            table.Add("release fence", "", total.FenceReason.Length > 0 ? $"{total.Fence}: {total.FenceReason}" : total.Fence ?? "-");
        }

        Add("frames", report => $"{report.Frames}");
        Add("frames per second", report => Words.Rate(report.Fps));
        Add("missed", report => $"{report.Missed}");
        Add("lag in frames", report => report.Lag is { } lag ? $"{lag}" : "-");
        foreach ((string name, Func<LatencyFigures, double> figure) in ((string, Func<LatencyFigures, double>)[])
            [("p50", figures => figures.P50), ("p99", figures => figures.P99), ("p99.9", figures => figures.P999), ("max", figures => figures.Max)])
        {
            Add($"publish to take, {name}", report => Words.Microseconds(report.LatencyUs.Publish is { } figures ? figure(figures) : null));
        }

        Add("arrival to take, p50", report => Words.Microseconds(report.LatencyUs.Arrival?.P50));
        Add("arrival to take, p99", report => Words.Microseconds(report.LatencyUs.Arrival?.P99));
        Add("reconnects", report => $"{report.Reconnects}");
        if (session.LastEvent is { } text)
        {
            table.Add("last event", "", text);
        }

        return table;
    }
}
