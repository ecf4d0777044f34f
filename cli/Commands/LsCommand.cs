using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using Spectre.Console;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes ls</c>: the streams of this machine, once or live.</summary>
internal static class LsCommand
{
    /// <summary>Time between two probes when a rate has to be measured because the source announces none.</summary>
    private static readonly TimeSpan MeasureTime = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        Option<bool> json = Options.Json("One JSON object; with --watch one per change.");
        Option<bool> watch = new("--watch", "-w") { Description = "Go on and show changes, until interrupted." };
        Command command = new("ls", "List the streams of this machine.") { json, watch };
        command.SetAction(parse => (parse.GetValue(watch), parse.GetValue(json)) switch
        {
            (false, false) => List(),
            (false, true) => ListJson(),
            (true, true) => WatchLines(change => JsonLine.Write(
                new ChangeReport(JsonLine.SnakeCase(change.Kind.ToString()), StreamReport.From(StreamProbe.WithPackets(change.Stream))))),
            (true, false) when Console.IsOutputRedirected => WatchLines(change => Output.Line(TextOf(change))),
            (true, false) => WatchTable(),
        });
        return command;
    }

    private static int List()
    {
        IReadOnlyList<StreamProbe> probes = StreamProbe.AskAll();
        List<StreamReport> streams = Measure(probes);
        if (streams.Count == 0)
        {
            Output.Remark($"No stream is published in {StreamDirectory.RuntimeDirectory}.");
            return ExitCode.Success;
        }

        MakeTable(streams).Write();
        if (AccessAdvice.For(probes) is { } advice)
        {
            Output.Remark(advice);
        }

        return ExitCode.Success;
    }

    private static int ListJson()
    {
        JsonLine.Write(new ListReport(StreamDirectory.RuntimeDirectory, Measure(StreamProbe.AskAll())));
        return ExitCode.Success;
    }

    /// <summary>Reports the streams that were found; asks again if there is a live one whose source announces no rate.</summary>
    private static List<StreamReport> Measure(IReadOnlyList<StreamProbe> first)
    {
        if (!first.Any(probe => probe.Info.Description is { State: Protocol.StreamState.Live, FrameRateNumerator: 0 }))
        {
            return [.. first.Select(probe => StreamReport.From(probe))];
        }

        Thread.Sleep(MeasureTime); // A rate is a count over time.
        return Pair(StreamProbe.AskAll(), first);
    }

    private static List<StreamReport> Pair(IReadOnlyList<StreamProbe> now, IReadOnlyList<StreamProbe> before) =>
        [.. now.Select(probe => StreamReport.From(probe, before.FirstOrDefault(earlier => earlier.Info.Key == probe.Info.Key)))];

    private static TextTable MakeTable(List<StreamReport> streams)
    {
        TextTable table = new("KEY", "STATE", "FORMAT", "SIZE", "#FPS", "#READERS", "#DROPPED", "#SLOTS", "DOMAIN", "PACKETS", "#HEAD", "PUBLISHER", "~REASON");
        foreach (StreamReport stream in streams)
        {
            table.Add(
                stream.Key,
                stream.State.Replace('_', ' '),
                stream.Format ?? "",
                stream.Width is { } width ? $"{width}x{stream.Height}" : "",
                stream.Error is null ? Words.Rate(stream.Fps ?? stream.FpsAnnounced) : "",
                $"{stream.Subscribers}",
                $"{stream.Dropped}",
                stream.Slots is { } slots ? $"{slots}/{stream.MaxSlots}" : "",
                Words.Domain(stream.Memory, stream.Device),
                stream.Packets?.Text ?? "",
                $"{stream.Head}",
                stream.Publisher ?? "",
                stream.Reason);
        }

        return table;
    }

    private static string TextOf(StreamChange change)
    {
        StreamReport stream = StreamReport.From(StreamProbe.WithPackets(change.Stream));
        string format = stream.Format is null ? "" : $" {stream.Format} {stream.Width}x{stream.Height}, {stream.Subscribers} readers";
        return $"{DateTime.Now:HH:mm:ss} {JsonLine.SnakeCase(change.Kind.ToString())} {stream.Key}: {stream.State.Replace('_', ' ')}{format}" +
            (stream.Reason.Length > 0 ? $" ({stream.Reason})" : "");
    }

    private static int WatchLines(Action<StreamChange> write)
    {
        using Interruption interruption = new();
        ForEachChange(write, interruption.Token).GetAwaiter().GetResult();
        return ExitCode.Success;
    }

    private static int WatchTable()
    {
        using Interruption interruption = new();
        using SemaphoreSlim changed = new(0);

        // A change is shown at once; between changes the rates are measured every second.
        Task watching = Task.Run(() => ForEachChange(_ => changed.Release(), interruption.Token));
        IReadOnlyList<StreamProbe> before = [];
        AnsiConsole.Live(new Text("")).Start(context =>
        {
            while (!interruption.Token.IsCancellationRequested)
            {
                IReadOnlyList<StreamProbe> now;
                try
                {
                    now = StreamProbe.AskAll();
                }
                catch (StreamUnavailableException)
                {
                    // The directory may come later: that is what watching is for.
                    now = [];
                }

                context.UpdateTarget(now.Count == 0
                    ? new Text($"No stream is published in {StreamDirectory.RuntimeDirectory}. Waiting; Ctrl-C ends.", new Style(Color.Grey))
                    : MakeTable(Pair(now, before)).ToRenderable(AnsiConsole.Profile.Width));
                before = now;
                WaitForChange(changed, interruption.Token);
            }
        });
        watching.GetAwaiter().GetResult();
        return ExitCode.Success;
    }

    private static void WaitForChange(SemaphoreSlim changed, CancellationToken cancellation)
    {
        try
        {
            if (changed.Wait(WatchInterval, cancellation))
            {
                while (changed.Wait(0, cancellation))
                {
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The loop sees the token.
        }
    }

    private static async Task ForEachChange(Action<StreamChange> tell, CancellationToken cancellation)
    {
        try
        {
            await foreach (StreamChange change in StreamDirectory.WatchAsync(cancellation: cancellation).ConfigureAwait(false))
            {
                tell(change);
            }
        }
        catch (OperationCanceledException)
        {
            // An interruption is the regular end.
        }
    }

    private sealed record ListReport(string Directory, IReadOnlyList<StreamReport> Streams);

    private sealed record ChangeReport(string Event, StreamReport Stream);
}
