using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Control;
using CuFrames.Control.V1;
using Spectre.Console;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes events [CAMERA]</c>: what happens in the daemon, as it happens.</summary>
internal static class EventsCommand
{
    private const int MaxPast = 1000;

    /// <summary>Time between two attempts to reach a daemon.</summary>
    private static readonly TimeSpan NextAttempt = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        Argument<string?> camera = new("CAMERA") { Description = "Only of this camera and its renditions.", Arity = ArgumentArity.ZeroOrOne };
        Option<int> past = Options.Number("--past", "How many past events come first.", 10, 0, MaxPast);
        Option<bool> once = new("--once") { Description = "Only those of the past: end instead of waiting for more." };
        Option<bool> json = Options.Json("One JSON object per event.");
        Option<bool> reconnect = new("--reconnect") { Description = "Wait for a daemon that is not there, and go on with the next one, with what happened meanwhile." };
        Command command = new("events", "Show what happens in the daemon: cameras, readers, faults.") { camera, past, once, reconnect, json };
        command.Validators.Add(result =>
        {
            if (result.GetValue(once) && result.GetValue(reconnect))
            {
                result.AddError("--once ends with the past, so that there is nothing for --reconnect to wait for.");
            }
        });
        command.SetAction((parse, _) => RunAsync(
            parse.GetValue(camera), parse.GetValue(past), parse.GetValue(once), parse.GetValue(reconnect), parse.GetValue(json) ? JsonOf : Print));
        return command;
    }

    private static async Task<int> RunAsync(string? camera, int past, bool once, bool reconnect, Action<Event> tell)
    {
        using Interruption interruption = new();
        using ControlClient client = ControlSocket.Connect();
        try
        {
            if (reconnect)
            {
                await FollowAsync(client, camera, past, tell, interruption.Token).ConfigureAwait(false);
            }

            await foreach (Event happening in client.WatchEventsAsync(camera, past, once, interruption.Token).ConfigureAwait(false))
            {
                tell(happening);
            }
        }
        catch (Exception error) when (error is RpcException or OperationCanceledException && interruption.Token.IsCancellationRequested)
        {
            // As asked for.
        }

        return ExitCode.Success;
    }

    /// <summary>Watches one daemon after the other until the cancellation.</summary>
    private static async Task FollowAsync(ControlClient client, string? camera, int past, Action<Event> tell, CancellationToken cancellation)
    {
        Event? last = null;
        bool hasBegun = false, isGone = false;
        while (true)
        {
            try
            {
                if (!hasBegun)
                {
                    // Where to go on: also when none of the past is wanted.
                    await foreach (Event happening in client.WatchEventsAsync(camera, Math.Max(1, past), pastOnly: true, cancellation).ConfigureAwait(false))
                    {
                        last = happening;
                        if (past > 0)
                        {
                            tell(happening);
                        }
                    }

                    hasBegun = true;
                }

                await foreach (Event happening in client.WatchEventsAsync(camera, MaxPast, pastOnly: false, cancellation).ConfigureAwait(false))
                {
                    isGone = false;

                    // Another daemon counts from the beginning, and later.
                    if (last is null || happening.Sequence > last.Sequence || happening.TimeMs > last.TimeMs)
                    {
                        last = happening;
                        tell(happening);
                    }
                }
            }
            catch (RpcException error) when (error.Status == RpcStatus.Unavailable)
            {
                if (!isGone)
                {
                    Failure.Remark(error);
                }

                isGone = true;
            }

            await Task.Delay(NextAttempt, cancellation).ConfigureAwait(false);
        }
    }

    private static void JsonOf(Event happening) => JsonLine.Write(EventReport.From(happening));

    private static void Print(Event happening)
    {
        string time = DateTimeOffset.FromUnixTimeMilliseconds((long)happening.TimeMs).ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss.fff", System.Globalization.CultureInfo.InvariantCulture);
        string stream = happening.Stream.Length > 0 ? $" {happening.Stream}:" : "";
        string lost = happening.Missed > 0 ? $" ({happening.Missed} events before this one were lost)" : "";
        string line = PlainText.Of($"{time} {happening.Id} {happening.Name}{stream} {happening.Text}{lost}");
        if (Console.IsOutputRedirected || happening.Severity == Severity.Information)
        {
            Console.Out.WriteLine(line);
        }
        else
        {
            AnsiConsole.MarkupLineInterpolated(happening.Severity == Severity.Error ? (FormattableString)$"[red]{line}[/]" : $"[yellow]{line}[/]");
        }
    }

    private sealed record EventReport(ulong Sequence, DateTimeOffset Time, uint Id, string Name, Severity Severity, string? Stream, string Text, ulong Missed)
    {
        public static EventReport From(Event happening) => new(
            happening.Sequence,
            DateTimeOffset.FromUnixTimeMilliseconds((long)happening.TimeMs),
            happening.Id,
            happening.Name,
            happening.Severity,
            happening.Stream.Length > 0 ? happening.Stream : null,
            happening.Text,
            happening.Missed);
    }
}
