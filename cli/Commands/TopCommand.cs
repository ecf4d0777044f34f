using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Control;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes top [CAMERA]</c>: what cameras, readers, the daemon and the GPU do, as it goes on.</summary>
internal static class TopCommand
{
    private const double StandardInterval = 1;
    private const double ShortestInterval = 0.1;
    private const double LongestInterval = 86_400;

    public static Command Create()
    {
        Argument<string?> camera = new("CAMERA") { Description = "Only this camera.", Arity = ArgumentArity.ZeroOrOne };
        Option<double?> interval = Options.Seconds("--interval", $"Seconds between two looks. Default: {StandardInterval}.", ShortestInterval, LongestInterval);
        Option<int> count = Options.Number("--count", "End after so many looks; 0: go on until interrupted.", 0, 0, int.MaxValue);
        Option<bool> json = Options.Json("One JSON object per look.");
        Command command = new("top", "Show rates, latencies, rings and readers of the daemon's cameras, live.") { camera, interval, count, json };
        command.SetAction((parse, _) => RunAsync(
            parse.GetValue(camera), TimeSpan.FromSeconds(parse.GetValue(interval) ?? StandardInterval), parse.GetValue(count), parse.GetValue(json)));
        return command;
    }

    private static async Task<int> RunAsync(string? camera, TimeSpan interval, int count, bool json)
    {
        using Interruption interruption = new();
        using ControlClient client = ControlSocket.Connect();
        try
        {
            if (json || Console.IsOutputRedirected)
            {
                await LookAsync(client, camera, interval, count, report => Write(report, json), Failure.Remark, interruption.Token).ConfigureAwait(false);
            }
            else
            {
                IRenderable screen = new Text("");
                await AnsiConsole.Live(screen).StartAsync(context => LookAsync(
                    client,
                    camera,
                    interval,
                    count,
                    report => context.UpdateTarget(screen = TopScreen.Of(report, AnsiConsole.Profile.Width, AnsiConsole.Profile.Height)),
                    error => context.UpdateTarget(TopScreen.WithRemark(screen, error.Message)),
                    interruption.Token)).ConfigureAwait(false);
            }
        }
        catch (Exception error) when (error is RpcException or OperationCanceledException && interruption.Token.IsCancellationRequested)
        {
            // As asked for.
        }

        return ExitCode.Success;
    }

    /// <summary>Looks again and again. A daemon that was there and has gone is waited for: it may be started anew.</summary>
    private static async Task LookAsync(
        ControlClient client, string? camera, TimeSpan interval, int count, Action<TopReport> tell, Action<RpcException> tellGone, CancellationToken cancellation)
    {
        using PeriodicTimer timer = new(interval);

        // Rates need two looks: the first is not shown.
        TopReport before = TopReport.From(await client.GetStatisticsAsync(camera, cancellation).ConfigureAwait(false), null);
        bool isGone = false;
        for (int look = 0; count == 0 || look < count;)
        {
            await timer.WaitForNextTickAsync(cancellation).ConfigureAwait(false);
            try
            {
                before = TopReport.From(await client.GetStatisticsAsync(camera, cancellation).ConfigureAwait(false), before);
            }
            catch (RpcException error) when (error.Status is RpcStatus.Unavailable or RpcStatus.DeadlineExceeded)
            {
                if (!isGone)
                {
                    tellGone(error);
                }

                isGone = true;
                continue;
            }

            isGone = false;
            tell(before);
            look++;
        }
    }

    private static void Write(TopReport report, bool json)
    {
        if (json)
        {
            JsonLine.Write(report);
        }
        else
        {
            Console.Out.WriteLine(TopScreen.HeadOf(report));
            Console.Out.WriteLine(TopScreen.CamerasOf(report, report.Cameras).ToText());
        }
    }
}
