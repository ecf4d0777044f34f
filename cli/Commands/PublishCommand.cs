using System.CommandLine;
using System.Globalization;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Interop;
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
        Options.OneOf(transport, "tcp", "udp");
        Option<double?> lossless = Options.Seconds("--lossless", "Offer lossless delivery: wait this long for a reader before it is evicted. Not for live sources.");
        Option<string> memory = new("--memory")
        {
            Description = "Where frames lie: host, cuda (shared as descriptors) or cuda-ipc (legacy handles). Default: host.",
            HelpName = "KIND",
            DefaultValueFactory = _ => "host",
        };
        Options.OneOf(memory, "host", "cuda", "cuda-ipc");
        Option<string?> decode = new("--decode")
        {
            Description = "What decodes a source: auto, nvdec or software. Default: auto, which is software for frames in main memory.",
            HelpName = "MODE",
        };
        Options.OneOf(decode, "auto", "nvdec", "software");
        Option<string?> device = new("--device")
        {
            Description = "The GPU for frames or NVDEC: its UUID, or its number among the visible ones. Default: the first.",
            HelpName = "GPU",
        };
        Option<bool> json = Options.Json("One JSON object per second and a final one.");
        Command command = new("publish", "Publish a stream without the daemon, until the source ends or an interruption.")
        {
            key, source, loop, transport, memory, decode, device, lossless, json,
        };
        command.SetAction(parse =>
        {
            FrameMemory place = MemoryOf(parse.GetRequiredValue(memory));
            CameraOptions options = OptionsFor(
                parse.GetRequiredValue(source), parse.GetValue(loop), parse.GetRequiredValue(transport), parse.GetValue(decode));
            using CudaContext? context = OpenContext(place, options, parse.GetValue(device));
            return Run(parse.GetRequiredValue(key), options, place, context, parse.GetValue(lossless), parse.GetValue(json));
        });
        return command;
    }

    private static FrameMemory MemoryOf(string name) => name switch
    {
        "cuda" => FrameMemory.Cuda,
        "cuda-ipc" => FrameMemory.CudaIpc,
        _ => FrameMemory.Host,
    };

    private static CameraOptions OptionsFor(string source, bool loop, string transport, string? decode)
    {
        if (TestPatternOptions.IsPattern(source))
        {
            return decode is not null
                ? throw new CuFramesException(ErrorCode.ConfigurationInvalid, "The test pattern is drawn, not decoded: leave out --decode.")
                : TestPatternOptions.TryParse(source, out TestPatternOptions? pattern, out string? fault)
                ? new CameraOptions { Pattern = pattern, Retry = false }
                : throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"The test pattern cannot be made: found {fault}.");
        }

        RedactedUrl url = new(source);
        return new CameraOptions
        {
            Source = new MediaSourceOptions
            {
                Url = url,
                Loop = loop,
                Transport = transport == "udp" ? MediaTransport.Udp : MediaTransport.Tcp,
                Decode = decode switch
                {
                    "nvdec" => DecodeMode.Nvdec,
                    "software" => DecodeMode.Software,
                    _ => DecodeMode.Auto,
                },
            },
            // A camera comes back; a file that cannot be read is a mistake that is told at once.
            Retry = !url.IsFile,
        };
    }

    /// <summary>Opens the one context for frames and decoder; null when neither needs a GPU.</summary>
    private static CudaContext? OpenContext(FrameMemory memory, CameraOptions options, string? wanted)
    {
        if (memory == FrameMemory.Host && options.Source?.Decode != DecodeMode.Nvdec)
        {
            return wanted is null
                ? null
                : throw new CuFramesException(ErrorCode.ConfigurationInvalid, "--device names a GPU, and nothing here uses one: add --memory cuda or --decode nvdec.");
        }

        IReadOnlyList<CudaDevice> devices = CudaDriver.Devices;
        CudaDevice? device = wanted is null ? devices[0]
            : int.TryParse(wanted, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? devices.ElementAtOrDefault(number)
            : devices.FirstOrDefault(device => device.UuidText.Equals(wanted, StringComparison.OrdinalIgnoreCase));
        return device?.OpenContext() ?? throw new CuFramesException(ErrorCode.ConfigurationInvalid,
            $"There is no GPU '{wanted}' here: this process sees {string.Join(", ", devices)}. Name one of these, or correct CUDA_VISIBLE_DEVICES.");
    }

    private static int Run(string key, CameraOptions options, FrameMemory memory, CudaContext? context, double? lossless, bool json)
    {
        using Interruption interruption = new();
        using FramePublisher publisher = FramePublisher.Create(key, new PublisherOptions
        {
            Program = "cuframes publish",
            Source = options.Source?.Url.Display ?? "test pattern",
            LosslessTimeout = TimeSpan.FromSeconds(lossless ?? 0),
            Memory = memory,
            Cuda = memory == FrameMemory.Host ? null : context,
        });
        options = options with { Source = options.Source is { } source ? source with { Cuda = context } : null };
        using CameraPump pump = new(publisher, options, json || !Console.IsOutputRedirected
            ? null
            : status => Tell(status, interruption));
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
            Output.Line($"{total.Frames} frames published, {total.Dropped} dropped.");
        }

        return pump.Status is { State: CameraState.Failed } failed ? throw new CuFramesException(failed.Code, failed.Reason) : ExitCode.Success;
    }

    /// <summary>Says on the pump's thread what its state is.</summary>
    private static void Tell(CameraStatus status, Interruption interruption)
    {
        try
        {
            Output.Line($"{JsonLine.SnakeCase(status.State.ToString())}: {status.Reason}");
        }
        catch (IOException)
        {
            // The last line of the command will say why.
            interruption.End();
        }
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

        // A live stream needs no explanation, but for a GPU that does not decode what lies in its memory.
        string? remark = report.State != "live" ? report.Reason : report.Device is not null && report.Decoder == "software" ? report.DecoderReason : null;
        string reason = string.IsNullOrEmpty(remark) ? "" : $"  [grey]{Markup.Escape(PlainText.Of(remark))}[/]";
        return new Markup(
            $"[bold]{Markup.Escape(report.Key)}[/]  [{colour}]{report.State.Replace('_', ' ')}[/]  {Markup.Escape(report.Format)}{Markup.Escape(PlaceOf(report))}  " +
            $"{Words.Rate(report.Fps)} fps  {report.Subscribers} readers  {report.Frames} frames  {report.Dropped} dropped{reason}");
    }

    /// <summary>Where frames lie and what decodes, if either is a matter of a GPU.</summary>
    private static string PlaceOf(PublishReport report)
    {
        string place = report.Device is null ? "" : $" in {Words.Domain(report.Memory, report.Device)}";
        string decoder = string.IsNullOrEmpty(report.Decoder) || (report.Device is null && report.Decoder == "software") ? "" : $", decoded by {report.Decoder}";
        return place + decoder;
    }
}
