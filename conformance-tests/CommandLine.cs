using System.Runtime.InteropServices;
using CuFrames.Conformance.Examples;
using CuFrames.Conformance.PacketChecks;
using CuFrames.Conformance.PublisherChecks;
using CuFrames.Conformance.SubscriberChecks;
using CuFrames.Conformance.Suite;

namespace CuFrames.Conformance;

/// <summary>The commands of <c>cuframes-conformance</c>.</summary>
internal static class CommandLine
{
    private const int Failure = 1;
    private const int UsageError = 64;

    private const string Usage = """
        cuframes-conformance: checks an implementation against docs/protocol.md

          cuframes-conformance publisher --socket PATH [--json] [--only PATTERN] [--format-change] [--allow-unprovoked]
          cuframes-conformance subscriber [--json] [--only PATTERN] [--allow-unprovoked] -- COMMAND...
          cuframes-conformance packet-publisher --socket PATH [--json] [--only PATTERN] [--allow-unprovoked]
          cuframes-conformance packet-subscriber [--json] [--only PATTERN] [--allow-unprovoked] -- COMMAND...
          cuframes-conformance list (publisher | subscriber | packet-publisher | packet-subscriber)

        Small implementations to try the suite on; with --break they do one thing wrong (--break list names them):

          cuframes-conformance example-publisher --socket PATH [--break NAME] [--format-change-ms N] [--rests] [--until-input-ends]
          cuframes-conformance example-subscriber [--break NAME]
          cuframes-conformance example-packet-publisher --socket PATH [--break NAME] [--until-input-ends]
          cuframes-conformance example-packet-subscriber [--break NAME]

        Exit code: 0 all passed, 1 a check failed, 64 wrong usage. README.md beside the source says more.
        """;

    public static int Run(string[] args)
    {
        var options = new OptionReader(args.Skip(1));
        try
        {
            switch (args.FirstOrDefault())
            {
                case "publisher":
                    return CheckPublisher(options);
                case "subscriber":
                    return CheckSubscriber(options, SubscriberSuite.Checks, SubscriberContext.Frames);
                case "packet-subscriber":
                    return CheckSubscriber(options, PacketSubscriberChecks.All, SubscriberContext.Packets);
                case "example-packet-subscriber":
                    return RunExamplePacketSubscriber(options);
                case "packet-publisher":
                    return CheckPacketPublisher(options);
                case "example-packet-publisher":
                    return RunExamplePacketPublisher(options);
                case "list":
                    return List(options);
                case "example-subscriber":
                    return RunExampleSubscriber(options);
                case "example-publisher":
                    return RunExamplePublisher(options);
                case "--help" or "help":
                    Console.Out.WriteLine(Usage);
                    return 0;
                default:
                    throw new FormatException("The first argument names a command.");
            }
        }
        catch (FormatException exception)
        {
            Console.Error.WriteLine(exception.Message);
            Console.Error.WriteLine(Usage);
            return UsageError;
        }
    }

    private static int CheckPublisher(OptionReader options)
    {
        bool json = options.Flag("--json");
        bool allowUnprovoked = options.Flag("--allow-unprovoked");
        bool formatChange = options.Flag("--format-change");
        string? only = options.Value("--only");
        var context = new PublisherContext(options.Value("--socket") ?? throw new FormatException("--socket is missing."), formatChange);
        options.End();
        var report = new Report(Console.Out, json, allowUnprovoked);
        CheckRunner.Run(PublisherSuite.Checks, context, only, report.Add);
        report.End();
        return report.Success ? 0 : Failure;
    }

    private static int CheckSubscriber(OptionReader options, IReadOnlyList<Check<SubscriberContext>> checks, string name)
    {
        IReadOnlyList<string> command = options.Command();
        bool json = options.Flag("--json");
        bool allowUnprovoked = options.Flag("--allow-unprovoked");
        string? only = options.Value("--only");
        options.End();
        using var context = new SubscriberContext(command, name);

        // Whoever stops the suite stops the command too, and nothing stays in /tmp.
        using PosixSignalRegistration terminate = StopAt(PosixSignal.SIGTERM, () => Abandon(context));
        using PosixSignalRegistration interrupt = StopAt(PosixSignal.SIGINT, () => Abandon(context));
        var report = new Report(Console.Out, json, allowUnprovoked);
        CheckRunner.Run(checks, context, only, report.Add);
        report.End();
        return report.Success ? 0 : Failure;
    }

    private static void Abandon(SubscriberContext context)
    {
        context.Abandon();
        Environment.Exit(Failure);
    }

    private static int List(OptionReader options)
    {
        string suite = options.Positional("publisher, subscriber, packet-publisher or packet-subscriber");
        options.End();
        IEnumerable<(string Id, string Title)> checks = suite switch
        {
            "publisher" => PublisherSuite.Checks.Select(check => (check.Id, check.Title)),
            "subscriber" => SubscriberSuite.Checks.Select(check => (check.Id, check.Title)),
            "packet-publisher" => PacketPublisherChecks.All.Select(check => (check.Id, check.Title)),
            "packet-subscriber" => PacketSubscriberChecks.All.Select(check => (check.Id, check.Title)),
            _ => throw new FormatException($"There are the suites publisher, subscriber, packet-publisher and packet-subscriber, not '{suite}'."),
        };
        foreach ((string id, string title) in checks)
        {
            Console.Out.WriteLine($"{id} {title}");
        }

        return 0;
    }

    private static int CheckPacketPublisher(OptionReader options)
    {
        bool json = options.Flag("--json");
        bool allowUnprovoked = options.Flag("--allow-unprovoked");
        string? only = options.Value("--only");
        var context = new PacketContext(options.Value("--socket") ?? throw new FormatException("--socket is missing."));
        options.End();
        var report = new Report(Console.Out, json, allowUnprovoked);
        CheckRunner.Run(PacketPublisherChecks.All, context, only, report.Add);
        report.End();
        return report.Success ? 0 : Failure;
    }

    private static int RunExamplePacketPublisher(OptionReader options)
    {
        string socketPath = options.Value("--socket") ?? throw new FormatException("--socket is missing.");
        PacketPublisherFault fault = Fault<PacketPublisherFault>(options.Value("--break"));
        bool untilInputEnds = options.Flag("--until-input-ends");
        options.End();
        using var publisher = new ExamplePacketPublisher(socketPath, fault);
        using PosixSignalRegistration terminate = StopAt(PosixSignal.SIGTERM, publisher.Stop);
        using PosixSignalRegistration interrupt = StopAt(PosixSignal.SIGINT, publisher.Stop);
        if (untilInputEnds)
        {
            StopAtEndOfInput(publisher.Stop);
        }

        publisher.Run();
        return 0;
    }

    private static int RunExampleSubscriber(OptionReader options)
    {
        SubscriberFault fault = Fault<SubscriberFault>(options.Value("--break"));
        options.End();
        string directory = Environment.GetEnvironmentVariable("CUFRAMES_DIR") is { Length: > 0 } set
            ? set
            : throw new FormatException("CUFRAMES_DIR is not set: it names the directory with conformance.sock.");
        using var subscriber = new ExampleSubscriber(Path.Combine(directory, "conformance.sock"), Console.Out, fault);
        using PosixSignalRegistration terminate = StopAt(PosixSignal.SIGTERM, subscriber.Stop);
        using PosixSignalRegistration interrupt = StopAt(PosixSignal.SIGINT, subscriber.Stop);
        StopAtEndOfInput(subscriber.Stop);
        subscriber.Run();
        return 0;
    }

    private static int RunExamplePacketSubscriber(OptionReader options)
    {
        PacketSubscriberFault fault = Fault<PacketSubscriberFault>(options.Value("--break"));
        options.End();
        string directory = Environment.GetEnvironmentVariable("CUFRAMES_DIR") is { Length: > 0 } set
            ? set
            : throw new FormatException("CUFRAMES_DIR is not set: it names the directory with conformance+packets.sock.");
        using var subscriber = new ExamplePacketSubscriber(Path.Combine(directory, "conformance+packets.sock"), Console.Out, fault);
        using PosixSignalRegistration terminate = StopAt(PosixSignal.SIGTERM, subscriber.Stop);
        using PosixSignalRegistration interrupt = StopAt(PosixSignal.SIGINT, subscriber.Stop);
        StopAtEndOfInput(subscriber.Stop);
        subscriber.Run();
        return 0;
    }

    private static int RunExamplePublisher(OptionReader options)
    {
        var settings = new ExamplePublisherOptions
        {
            SocketPath = options.Value("--socket") ?? throw new FormatException("--socket is missing."),
            Fault = Fault<PublisherFault>(options.Value("--break")),
            FormatChangeMilliseconds = options.Number("--format-change-ms"),
            Rests = options.Flag("--rests"),
        };
        bool untilInputEnds = options.Flag("--until-input-ends");
        options.End();
        using var publisher = new ExamplePublisher(settings);
        using PosixSignalRegistration terminate = StopAt(PosixSignal.SIGTERM, publisher.Stop);
        using PosixSignalRegistration interrupt = StopAt(PosixSignal.SIGINT, publisher.Stop);
        if (untilInputEnds)
        {
            StopAtEndOfInput(publisher.Stop);
        }

        publisher.Run();
        return 0;
    }

    /// <summary>Whoever started an example holds the other end of its standard input: when he is gone, so is the example.</summary>
    private static void StopAtEndOfInput(Action stop)
    {
        var reader = new Thread(() =>
        {
            while (Console.In.Read() >= 0)
            {
            }

            stop();
        })
        {
            IsBackground = true,
            Name = "standard input",
        };
        reader.Start();
    }

    private static PosixSignalRegistration StopAt(PosixSignal signal, Action stop) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            stop();
        });

    private static T Fault<T>(string? name)
        where T : struct, Enum
    {
        if (name is null)
        {
            return default;
        }

        return Enum.TryParse(name.Replace("-", string.Empty, StringComparison.Ordinal), ignoreCase: true, out T fault)
            ? fault
            : throw new FormatException($"--break knows {string.Join(", ", Enum.GetNames<T>())}, not '{name}'.");
    }
}
