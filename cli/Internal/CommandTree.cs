using System.CommandLine;
using CuFrames.Cli.Commands;

namespace CuFrames.Cli.Internal;

/// <summary>All commands of <c>cuframes</c>, and what is common to them: parsing, errors, exit codes.</summary>
internal static class CommandTree
{
    public static int Run(string[] arguments)
    {
        RootCommand root = new("Looks at the streams of this machine, and publishes some. Exit codes and JSON: docs/cli.md.")
        {
            LsCommand.Create(),
            WatchCommand.Create(),
            StatCommand.Create(),
            SnapshotCommand.Create(),
            RecordCommand.Create(),
            PublishCommand.Create(),
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
            if (arguments.Length == 0)
            {
                root.Parse(["--help"]).Invoke(configuration);
                return ExitCode.Usage;
            }

            ParseResult parse = root.Parse(arguments);
            return parse.Errors.Count == 0
                ? parse.Invoke(configuration)
                : Failure.ReportUsage($"{parse.Errors[0].Message} See 'cuframes{NameOf(parse)} --help'.", arguments);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        catch (Exception error)
        {
            return Failure.Report(error, arguments);
        }
    }

    private static string NameOf(ParseResult parse) =>
        parse.CommandResult.Command is RootCommand ? "" : " " + parse.CommandResult.Command.Name;
}
