using System.CommandLine;
using System.CommandLine.Parsing;
using CuFrames.Cli.Commands;

namespace CuFrames.Cli.Internal;

/// <summary>All commands of <c>cuframes</c>, and what is common to them: parsing, errors, exit codes.</summary>
internal static class CommandTree
{
    public static int Run(string[] arguments)
    {
        RootCommand root = new("Looks at the streams of this machine, records and publishes some, and operates the daemon cuframesd. Exit codes and JSON: docs/cli.md.")
        {
            LsCommand.Create(),
            WatchCommand.Create(),
            StatCommand.Create(),
            ControlSocket.WithOptions(SnapshotCommand.Create()),
            RecordCommand.Create(),
            PublishCommand.Create(),
            ControlSocket.WithOptions(DaemonCommand.Create()),
            ControlSocket.WithOptions(CameraCommand.Create()),
            ControlSocket.WithOptions(TopCommand.Create()),
            ControlSocket.WithOptions(DashboardCommand.Create()),
            ControlSocket.WithOptions(ReadersCommand.Create()),
            ControlSocket.WithOptions(EvictCommand.Create()),
            ControlSocket.WithOptions(EventsCommand.Create()),
            ControlSocket.WithOptions(LogLevelCommand.Create()),
            DoctorCommand.Create(),
            DoctorDriverCommand.Create(),
            DoctorGpuCommand.Create(),
            DoctorReaderCommand.Create(),
            BenchCommand.Create(),
            BenchPublisherCommand.Create(),
            BenchReaderCommand.Create(),
        };
        InvocationConfiguration configuration = new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
        try
        {
            Output.NoticeBrokenPipes();
            if (arguments.Length == 0)
            {
                root.Parse(["--help"]).Invoke(configuration);
                return ExitCode.Usage;
            }

            ParseResult parse = root.Parse(arguments);
            ControlSocket.Use(parse);
            return parse.Errors.Count == 0
                ? parse.Invoke(configuration)
                : Failure.ReportUsage($"{parse.Errors[0].Message} See 'cuframes{NameOf(parse)} --help'.", arguments);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        catch (IOException error) when (Output.IsBrokenPipe(error))
        {
            // Nobody is there to be told.
            return ExitCode.BrokenPipe;
        }
        catch (Exception error)
        {
            return Failure.Report(error, arguments);
        }
    }

    /// <summary>The command with those that it is one of: <c> camera add</c>.</summary>
    private static string NameOf(ParseResult parse)
    {
        string name = "";
        for (SymbolResult? result = parse.CommandResult; result is CommandResult { Command: not RootCommand } command; result = command.Parent)
        {
            name = $" {command.Command.Name}{name}";
        }

        return name;
    }
}
