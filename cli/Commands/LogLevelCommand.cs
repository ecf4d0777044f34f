using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Control;
using CuFrames.Control.V1;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes log-level [LEVEL]</c>: which lines the daemon's log has.</summary>
internal static class LogLevelCommand
{
    private static readonly Severity[] Levels = [Severity.Information, Severity.Warning, Severity.Error];

    public static Command Create()
    {
        Argument<string?> level = new("LEVEL") { Description = "info, warning or error. Without it: say which holds.", Arity = ArgumentArity.ZeroOrOne };
        Options.OneOf(level, [.. Levels.Select(Words.Of)]);
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("log-level", "Show or set which lines the daemon's log has, until it ends.") { level, json };
        command.SetAction((parse, _) => RunAsync(parse.GetValue(level), parse.GetValue(json)));
        return command;
    }

    private static async Task<int> RunAsync(string? level, bool json)
    {
        using Interruption interruption = new();
        using ControlClient client = ControlSocket.Connect();
        if (level is not null)
        {
            await client.SetLogLevelAsync(Array.Find(Levels, known => Words.Of(known) == level), interruption.Token).ConfigureAwait(false);
        }

        Severity now = (await client.GetDaemonAsync(interruption.Token).ConfigureAwait(false)).LogLevel;
        string name = Words.Of(now);
        if (json)
        {
            JsonLine.Write(new { Level = name });
        }
        else
        {
            Output.Line(name);
        }

        return ExitCode.Success;
    }
}
