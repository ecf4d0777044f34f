using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Control;
using V1 = CuFrames.Control.V1;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes dashboard</c>: where the daemon serves its dashboard.</summary>
internal static class DashboardCommand
{
    public static Command Create()
    {
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("dashboard", "Print the address of the daemon's dashboard.") { json };
        command.SetAction((parse, _) => RunAsync(parse.GetValue(json)));
        return command;
    }

    private static async Task<int> RunAsync(bool json)
    {
        using Interruption interruption = new();
        using ControlClient client = ControlSocket.Connect();
        V1.Daemon daemon = await client.GetDaemonAsync(interruption.Token).ConfigureAwait(false);
        if (daemon.DashboardUrl.Length == 0)
        {
            throw new RpcException(
                RpcStatus.NotFound,
                $"The dashboard is off. {daemon.ConfigurationPath} turns it on: leave 'web' out, or write web: 127.0.0.1:8476. The daemon notices the change by itself.");
        }

        if (daemon.DashboardProblem.Length > 0)
        {
            throw new RpcException(
                RpcStatus.Unavailable,
                $"The dashboard should be at {daemon.DashboardUrl}, and is not: {daemon.DashboardProblem.TrimEnd('.')}. It is tried again; 'web' of {daemon.ConfigurationPath} names another address.");
        }

        if (json)
        {
            JsonLine.Write(new { Url = daemon.DashboardUrl });
        }
        else
        {
            Output.Line(daemon.DashboardUrl);
        }

        return ExitCode.Success;
    }
}
