using System.CommandLine;
using CuFrames.Cli.Internal;
using Spectre.Console;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes doctor</c>: tries what CuFrames needs of this machine and says what to do about the rest.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        Option<bool> json = Options.Json("One JSON object.");
        Option<bool> gpu = new("--gpu") { Description = "A GPU is needed: fail without one." };
        Command command = new("doctor", "Check kernel, limits, permissions, libav and GPU. Exits with 1 if a check fails.") { gpu, json };
        command.SetAction(parse => Run(parse.GetValue(gpu), parse.GetValue(json)));
        return command;
    }

    private static int Run(bool needsGpu, bool json)
    {
        List<Check> checks = [];
        GpuChecks gpu = new(needsGpu);

        // A line is shown as soon as it is known: some take a while.
        foreach (Check check in KernelChecks.All().Concat(LimitChecks.All()).Concat(DirectoryChecks.All()).Concat(MediaChecks.All()).Concat(gpu.All()))
        {
            checks.Add(check);
            if (!json)
            {
                Print(check);
            }
        }

        bool isOk = checks.TrueForAll(check => check.Status != "fail");
        if (json)
        {
            JsonLine.Write(new { Ok = isOk, Checks = checks, Gpu = gpu.Driver });
        }

        return isOk ? ExitCode.Success : ExitCode.Error;
    }

    private static void Print(Check check)
    {
        if (Console.IsOutputRedirected)
        {
            Output.Line($"{check.Status,-5} {check.Name}: {check.Found}" + (check.Advice.Length > 0 ? $" -- {check.Advice}" : ""));
            return;
        }

        string colour = check.Status switch
        {
            "ok" => "green",
            "warn" => "yellow",
            _ => "red",
        };
        Grid grid = new Grid().AddColumn(new GridColumn().Width(5).NoWrap()).AddColumn(new GridColumn().Width(26)).AddColumn();
        grid.AddRow(new Markup($"[{colour}]{check.Status}[/]"), new Text(check.Name), new Text(PlainText.Of(check.Found)));
        if (check.Advice.Length > 0)
        {
            grid.AddRow(new Text(""), new Text(""), new Text(PlainText.Of(check.Advice), new Style(Color.Grey)));
        }

        AnsiConsole.Write(grid);
    }
}
