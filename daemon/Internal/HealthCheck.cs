using System.Text.Json;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal;

/// <summary>Asks a running daemon, from another process, whether it is well: as any reader would ask, through the sockets of its streams.</summary>
internal static class HealthCheck
{
    /// <summary>Time for all answers. A daemon that runs gives them in milliseconds.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private static readonly string Live = NameOf(StreamState.Live);

    /// <summary>Asks the stream of every camera that is enabled, all at once.</summary>
    /// <param name="configuration">What the daemon was told to do.</param>
    /// <param name="directory">The runtime directory.</param>
    internal static HealthReport Run(DaemonConfiguration configuration, string directory)
    {
        // A thread for each, which nobody waits for at the end: whoever does not answer now is not waited for longer.
        List<Task<HealthCamera>> questions = [.. configuration.Cameras.Where(camera => camera.Enabled)
            .Select(camera => Task.Factory.StartNew(() => Ask(camera, directory), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Task.WaitAll([.. questions], Limit);
        List<HealthCamera> cameras = [.. questions.Zip(configuration.Cameras.Where(camera => camera.Enabled), (question, camera) => question.IsCompleted
            ? question.Result
            : new HealthCamera(camera.Key, Answers: false, null, $"no answer within {Limit.TotalSeconds:0} s"))];

        int answers = cameras.Count(camera => camera.Answers);
        bool isHealthy = answers == cameras.Count;
        string details = string.Join("; ", cameras.Select(Describe));
        string text = cameras.Count == 0
            ? "healthy: no camera is enabled, so there is nothing to ask"
            : $"{(isHealthy ? "healthy" : "unhealthy")}: {answers} of {cameras.Count} cameras answer in {directory}: {details}";
        return new HealthReport(isHealthy, OneLine(text), cameras);
    }

    /// <summary>The result when the configuration cannot be used: whether the daemon does what it should cannot be said.</summary>
    /// <param name="problems">What is wrong with it; at least one.</param>
    internal static HealthReport OfProblems(IReadOnlyList<string> problems) =>
        new(Healthy: false, OneLine($"unhealthy: {problems[0]}{(problems.Count > 1 ? $" ({problems.Count - 1} more: see --check)" : "")}"), []);

    /// <summary>A result as JSON, in one line.</summary>
    /// <param name="report">The result.</param>
    internal static string ToJson(HealthReport report) => JsonSerializer.Serialize(report, HealthJson.Line.HealthReport);

    private static HealthCamera Ask(CameraConfiguration camera, string directory)
    {
        StreamInfo stream = StreamDirectory.Probe(camera.Key, directory);
        return stream.Description is { } description
            ? new HealthCamera(camera.Key, Answers: true, NameOf(description.State), camera.Redact(stream.StateText))
            : new HealthCamera(camera.Key, Answers: false, null, stream.Error);
    }

    /// <summary>A camera that is well in two words, any other with the reason.</summary>
    private static string Describe(HealthCamera camera) =>
        $"{camera.Key} {(camera.State is { } state ? state.Replace('_', ' ') : "does not answer")}{(camera.Text.Length > 0 && camera.State != Live ? $" ({camera.Text.TrimEnd('.')})" : "")}";

    private static string NameOf(StreamState state) => JsonNamingPolicy.SnakeCaseLower.ConvertName(state.ToString());

    /// <summary>Whoever runs health checks keeps a line.</summary>
    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
