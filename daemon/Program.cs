using System.CommandLine;
using System.Reflection;
using CuFrames.Daemon.Internal;

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

    /// <summary>The program's version.</summary>
    internal static string Version { get; } =
        typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private static int Main(string[] args)
    {
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
        RootCommand command = new("Connects to every camera once, decodes it once, and publishes its frames to any number of readers.") { file, directory, check };

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
        return Run(new DaemonOptions(path, options.GetValue(directory)), options.GetValue(check));
    }

    private static int Run(DaemonOptions options, bool isCheck)
    {
        byte[]? content = ConfigurationReader.ReadContent(options.ConfigurationPath, out string problem);
        (DaemonConfiguration? configuration, IReadOnlyList<string> problems) = content is null
            ? (null, [problem])
            : ConfigurationReader.Read(options.ConfigurationPath, content, Environment.GetEnvironmentVariable);
        if (isCheck)
        {
            foreach (string line in problems)
            {
                Console.Error.WriteLine(line);
            }

            Console.Out.Write(configuration?.Describe(RuntimeDirectory.Choose(options.Directory, configuration)));
            return configuration is null ? ConfigurationError : Success;
        }

        using Log log = Log.ToStandardError();
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
