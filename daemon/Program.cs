using System.CommandLine;
using System.Reflection;
using CuFrames.Daemon.Internal;
using CuFrames.Daemon.Internal.State;
using CuFrames.Daemon.Internal.Workers;

namespace CuFrames.Daemon;

/// <summary>cuframesd: publishes cameras as streams that any process of the machine can read.</summary>
internal static class Program
{
    private const string DefaultConfiguration = "/etc/cuframes/cuframes.yaml";
    private const int Success = 0;
    private const int Failure = 1;
    private const int ConfigurationError = 2;

    /// <summary>Exit code when the CUDA context is broken: a new process mends it, so systemd starts one.</summary>
    internal const int GpuBroken = 3;

    /// <summary>What the daemon starts this program with for a camera with <c>isolated: true</c>. Not for people: --help does not show it.</summary>
    internal const string WorkerOption = "--worker";

    /// <summary>The program's version.</summary>
    internal static string Version { get; } =
        typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private static int Main(string[] args)
    {
        if (args is [WorkerOption])
        {
            return Worker.Run();
        }

        Option<string> file = new("--config")
        {
            HelpName = "FILE",
            Description = $"The configuration file. Without it: $CUFRAMES_CONFIG, else {DefaultConfiguration}.",
        };
        Option<string> directory = new("--directory")
        {
            HelpName = "DIR",
            Description = "The runtime directory for the streams' sockets. Without it: 'directory' of the configuration, else $CUFRAMES_DIR, else /run/cuframes.",
        };
        Option<bool> check = new("--check") { Description = "Check the configuration, print what holds (without secrets), and end." };
        Option<bool> health = new("--health")
        {
            Description = "Ask the daemon that runs with this configuration whether it is well, print one line, and end with exit status 0 or 1.",
        };
        Option<bool> json = new("--json") { Description = "With --health: the line as JSON." };
        Option<string> level = new("--log-level") { HelpName = "LEVEL", Description = "error, warning or info: what is logged. Without it: 'log' of the configuration." };
        level.AcceptOnlyFromAmong([.. LogKey.Levels.Select(named => named.Name)]);
        Option<string> format = new("--log-format") { HelpName = "FORMAT", Description = "text or json: how it is logged. Without it: 'log' of the configuration." };
        format.AcceptOnlyFromAmong([.. LogKey.Formats.Select(named => named.Name)]);
        RootCommand command = new("Connects to every camera once, decodes it once, and publishes its frames to any number of readers.")
        {
            file, directory, check, health, json, level, format,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(json) && !result.GetValue(health))
            {
                result.AddError("--json belongs to --health.");
            }

            if (result.GetValue(check) && result.GetValue(health))
            {
                result.AddError("--check and --health exclude each other.");
            }
        });

        ParseResult options = command.Parse(args);
        if (options.Errors.Count > 0)
        {
            foreach (System.CommandLine.Parsing.ParseError error in options.Errors)
            {
                Console.Error.WriteLine($"cuframesd: {error.Message}");
            }

            Console.Error.WriteLine("cuframesd: see cuframesd --help.");
            return ConfigurationError;
        }

        if (options.Action is not null)
        {
            return options.Invoke();
        }

        string? path = options.GetValue(file) ?? Environment.GetEnvironmentVariable("CUFRAMES_CONFIG");
        path = Path.GetFullPath(string.IsNullOrEmpty(path) ? DefaultConfiguration : path);
        DaemonOptions daemon = new(
            path,
            options.GetValue(directory),
            options.GetValue(level) is { } levelName ? LogKey.Levels.First(named => named.Name == levelName).Level : null,
            options.GetValue(format) is { } formatName ? LogKey.Formats.First(named => named.Name == formatName).Format : null);
        return options.GetValue(health) ? RunHealthCheck(daemon, options.GetValue(json)) : Run(daemon, options.GetValue(check));
    }

    private static int RunHealthCheck(DaemonOptions options, bool isJson)
    {
        (DaemonConfiguration? configuration, IReadOnlyList<string> problems) = Read(options.ConfigurationPath, out _);
        HealthReport report = configuration is null
            ? HealthCheck.OfProblems(problems)
            : HealthCheck.Run(WithAdded(options.ConfigurationPath, configuration), RuntimeDirectory.Choose(options.Directory, configuration));
        Console.Out.WriteLine(isJson ? HealthCheck.ToJson(report) : report.Text);
        return report.Healthy ? Success : Failure;
    }

    /// <summary>The configuration with the cameras that the control API added, where this user may know them.</summary>
    private static DaemonConfiguration WithAdded(string path, DaemonConfiguration configuration) => CameraSet.Compose(
        path,
        configuration,
        StateContent.Load(StateDirectory.Choose(configuration.State, Environment.GetEnvironmentVariable)),
        ConfigurationEnvironment.Get).Configuration;

    private static (DaemonConfiguration? Configuration, IReadOnlyList<string> Problems) Read(string path, out byte[]? content)
    {
        content = ConfigurationReader.ReadContent(path, out string problem);
        return content is null ? (null, [problem]) : ConfigurationReader.Read(path, content, ConfigurationEnvironment.Get);
    }

    private static int Run(DaemonOptions options, bool isCheck)
    {
        (DaemonConfiguration? configuration, IReadOnlyList<string> problems) = Read(options.ConfigurationPath, out byte[]? content);
        if (isCheck)
        {
            foreach (string line in problems)
            {
                Console.Error.WriteLine(line);
            }

            Console.Out.Write(configuration?.Describe(RuntimeDirectory.Choose(options.Directory, configuration), StateDirectory.Choose(configuration.State, Environment.GetEnvironmentVariable)));
            return configuration is null ? ConfigurationError : Success;
        }

        using Log log = Log.ToStandardError(options.Choose(configuration?.Log));
        if (configuration is null)
        {
            foreach (string line in problems)
            {
                log.Write(LogEvents.ConfigurationInvalid, line);
            }

            return ConfigurationError;
        }

        try
        {
            using Supervisor supervisor = new(options, log);
            AppDomain.CurrentDomain.UnhandledException += (_, fault) =>
            {
                // Nothing can save the process, but the log says why it ends. The runtime writes the error too, as it is.
                log.Write(LogEvents.ThreadFault, supervisor.Redact($"Thread '{Thread.CurrentThread.Name}': {fault.ExceptionObject}"));
                log.Dispose();
            };
            return supervisor.Run(configuration, content!) ? Success : GpuBroken;
        }
        catch (Exception error)
        {
            string text = error.ToString();
            foreach (CameraConfiguration camera in configuration.Cameras)
            {
                text = camera.Redact(text);
            }

            log.Write(LogEvents.InternalError, text);
            return Failure;
        }
    }
}
