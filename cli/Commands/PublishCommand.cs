using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;
using Spectre.Console;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes publish KEY SOURCE</c>: publishes one stream without the daemon.</summary>
internal static class PublishCommand
{
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    public static Command Create()
    {
        Argument<string> key = Options.Key();
        Argument<string> source = new("SOURCE")
        {
            Description = "A URL (rtsp://, http://, ...), a file, or test[:[FORMAT@]WIDTHxHEIGHT[@FPS]] for the built-in pattern.",
        };
        Option<bool> loop = new("--loop") { Description = "Begin again when a file ends." };
        Option<string> transport = new("--transport") { Description = "How an RTSP source sends: tcp or udp. Default: tcp.", DefaultValueFactory = _ => "tcp" };
        transport.AcceptOnlyFromAmong("tcp", "udp");
        Option<double?> lossless = Options.Seconds("--lossless", "Offer lossless delivery: wait this long for a reader before it is evicted. Not for live sources.");
        Option<bool> json = Options.Json("One JSON object per second and a final one.");
        Command command = new("publish", "Publish a stream without the daemon, until the source ends or an interruption.")
        {
            key, source, loop, transport, lossless, json,
        };
        command.SetAction(parse =>
        {
            CameraOptions options = OptionsFor(parse.GetRequiredValue(source), parse.GetValue(loop), parse.GetRequiredValue(transport));
            return Run(parse.GetRequiredValue(key), options, parse.GetValue(lossless), parse.GetValue(json));
        });
        return command;
    }

    private static CameraOptions OptionsFor(string source, bool loop, string transport)
    {
        if (TestPatternOptions.IsPattern(source))
        {
            return TestPatternOptions.TryParse(source, out TestPatternOptions? pattern, out string? fault)
                ? new CameraOptions { Pattern = pattern, Retry = false }
                : throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"The test pattern cannot be made: found {fault}.");
        }

        RedactedUrl url = new(source);
        return new CameraOptions
        {
            Source = new MediaSourceOptions { Url = url, Loop = loop, Transport = transport == "udp" ? MediaTransport.Udp : MediaTransport.Tcp },
            // A camera comes back; a file that cannot be read is a mistake that is told at once.
            Retry = !url.IsFile,
        };
    }

    private static int Run(string key, CameraOptions options, double? lossless, bool json)
    {
        using Interruption interruption = new();
        using FramePublisher publisher = FramePublisher.Create(key, new PublisherOptions
        {
            Program = "cuframes publish",
            Source = options.Source?.Url.Display ?? "test pattern",
            LosslessTimeout = TimeSpan.FromSeconds(lossless ?? 0),
        });
        using CameraPump pump = new(publisher, options, json || !Console.IsOutputRedirected
            ? null
            : status => Console.Out.WriteLine($"{JsonLine.SnakeCase(status.State.ToString())}: {status.Reason}"));
        pump.Start();
        if (json)
        {
            Follow(pump, publisher, JsonLine.Write, interruption.Token);
        }
        else if (Console.IsOutputRedirected)
        {
            Follow(pump, publisher, _ => { }, interruption.Token);
        }
        else
        {
            AnsiConsole.Live(new Text("")).Start(context => Follow(pump, publisher, report => context.UpdateTarget(LineOf(report)), interruption.Token));
        }

        // The publisher is ours again only when the pump's thread has ended; the process ends anyway.
        _ = pump.Stop(StopTimeout);
        PublishReport total = PublishReport.From("total", pump, publisher, null);
        if (json)
        {
            JsonLine.Write(total);
        }
        else
        {
            Console.Out.WriteLine($"{total.Frames} frames published, {total.Dropped} dropped.");
        }

        return pump.Status is { State: CameraState.Failed } failed ? throw new CuFramesException(failed.Code, failed.Reason) : ExitCode.Success;
    }

    /// <summary>Reports every second until the pump ends or an interruption.</summary>
    private static void Follow(CameraPump pump, FramePublisher publisher, Action<PublishReport> tell, CancellationToken cancellation)
    {
        PublishReport? before = null;
        while (!cancellation.IsCancellationRequested && !WaitForEnd(pump, cancellation))
        {
            before = PublishReport.From("interval", pump, publisher, before);
            tell(before);
        }
    }

    private static bool WaitForEnd(CameraPump pump, CancellationToken cancellation)
    {
        TimeSpan slice = TimeSpan.FromMilliseconds(100);
        for (TimeSpan waited = TimeSpan.Zero; waited < ReportInterval; waited += slice)
        {
            if (pump.WaitForEnd(slice))
            {
                return true;
            }

            if (cancellation.IsCancellationRequested)
            {
                return false;
            }
        }

        return false;
    }

    private static Markup LineOf(PublishReport report)
    {
        string colour = report.State == "live" ? "green" : "yellow";
        string reason = report.State != "live" && report.Reason.Length > 0 ? $"  [grey]{Markup.Escape(report.Reason)}[/]" : "";
        return new Markup(
            $"[bold]{Markup.Escape(report.Key)}[/]  [{colour}]{report.State.Replace('_', ' ')}[/]  {Markup.Escape(report.Format)}  " +
            $"{Words.Rate(report.Fps)} fps  {report.Subscribers} readers  {report.Frames} frames  {report.Dropped} dropped{reason}");
    }
}
