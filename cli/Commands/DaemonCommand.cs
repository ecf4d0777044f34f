using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Control;
using V1 = CuFrames.Control.V1;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes daemon</c>: what the daemon is, where it serves what, and what it may take.</summary>
internal static class DaemonCommand
{
    /// <summary>Characters of a version that people need: of the commit's name the first are enough.</summary>
    private const int VersionLength = 16;

    public static Command Create()
    {
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("daemon", "Show the daemon: version, status, addresses, directories, limits.") { json };
        command.SetAction((parse, _) => RunAsync(parse.GetValue(json)));
        return command;
    }

    private static async Task<int> RunAsync(bool json)
    {
        using Interruption interruption = new();
        using ControlClient client = ControlSocket.Connect();
        V1.Daemon daemon = await client.GetDaemonAsync(interruption.Token).ConfigureAwait(false);
        if (json)
        {
            JsonLine.Write(DaemonReport.From(daemon));
        }
        else
        {
            Print(daemon);
        }

        return ExitCode.Success;
    }

    private static void Print(V1.Daemon daemon)
    {
        FieldList fields = new();
        fields.Add("cuframesd", $"{daemon.Version[..Math.Min(daemon.Version.Length, VersionLength)]}, process {daemon.ProcessId}, up {Words.Duration(daemon.UptimeMs / 1000.0)}");
        fields.Add("status", daemon.Status);
        fields.Add("configuration", daemon.ConfigurationPath);
        fields.Add("sockets", daemon.RuntimeDirectory);
        fields.Add("control by TCP", daemon.ControlTcp.Length > 0 ? daemon.ControlTcp : "off");
        fields.Add("dashboard", daemon.DashboardUrl.Length == 0 ? "off" : daemon.DashboardUrl + Problem("not served now", daemon.DashboardProblem));
        fields.Add("state", (daemon.StateDirectory.Length > 0 ? daemon.StateDirectory : "none") + Problem("cameras cannot be added", daemon.StateProblem));
        fields.Add("log level", Words.Of(daemon.LogLevel));
        if (daemon.Limits is { } limits)
        {
            string memory = limits.MemoryBytes == 0 ? "no limit" : Words.Bytes(limits.MemoryBytes);
            fields.Add("limits", $"{limits.Cameras} cameras, {limits.Descriptors} descriptors, memory of all rings: {Words.Bytes(limits.MemoryInUseBytes)} of {memory}");
        }

        fields.Write();
    }

    private static string Problem(string what, string problem) => problem.Length > 0 ? $" ({what}: {problem})" : "";

    /// <summary>What the daemon said, as it goes to JSON. What it has not, or what has no problem, is null.</summary>
    private sealed record DaemonReport(
        string Version,
        int ProcessId,
        double UptimeSeconds,
        string Status,
        string ConfigurationPath,
        string RuntimeDirectory,
        string? ControlTcp,
        string? DashboardUrl,
        string? DashboardProblem,
        string? StateDirectory,
        string? StateProblem,
        string LogLevel,
        LimitsReport? Limits)
    {
        public static DaemonReport From(V1.Daemon daemon) => new(
            daemon.Version,
            daemon.ProcessId,
            daemon.UptimeMs / 1000.0,
            daemon.Status,
            daemon.ConfigurationPath,
            daemon.RuntimeDirectory,
            OrNull(daemon.ControlTcp),
            OrNull(daemon.DashboardUrl),
            OrNull(daemon.DashboardProblem),
            OrNull(daemon.StateDirectory),
            OrNull(daemon.StateProblem),
            Words.Of(daemon.LogLevel),
            daemon.Limits is { } limits ? new LimitsReport(limits.Cameras, limits.MemoryBytes == 0 ? null : limits.MemoryBytes, limits.MemoryInUseBytes, limits.Descriptors) : null);

        private static string? OrNull(string text) => text.Length > 0 ? text : null;
    }

    private sealed record LimitsReport(uint Cameras, ulong? MemoryBytes, ulong MemoryInUseBytes, uint Descriptors);
}
