using System.Text.Json;
using CuFrames.Protocol;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary><c>cuframesd --health</c>: asks a running daemon from another process, as a container's health check does.</summary>
public sealed class HealthTests
{
    private const int Stop = 19;
    private const int Continue = 18;

    /// <summary>A picture, and a camera that cannot be reached.</summary>
    private const string Cameras =
        """
        cameras:
          pattern: {source: "test:64x48@50"}
          gone: {source: "rtsp://127.0.0.1:1/", username: viewer, password: a-secret-word}
          off: {source: "rtsp://127.0.0.1:1/", enabled: false}
        """;

    [Fact]
    public void A_daemon_whose_camera_is_lost_is_healthy_and_says_which_one()
    {
        using DaemonProcess daemon = DaemonProcess.Run(Cameras);
        daemon.WaitFor("pattern", info => info.Description?.State == StreamState.Live);
        daemon.WaitFor("gone", info => info.Description?.State == StreamState.SourceLost);

        (int exitCode, string output, string errors) = DaemonProcess.Execute(daemon.Environment, "--health");
        Assert.Equal((0, ""), (exitCode, errors));
        string line = Assert.Single(output.TrimEnd('\n').Split('\n'));
        Assert.StartsWith($"healthy: 2 of 2 cameras answer in {daemon.RuntimeDirectory}: pattern live; gone source lost (Cannot connect to ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("a-secret-word", line, StringComparison.Ordinal);

        (exitCode, output, _) = DaemonProcess.Execute(daemon.Environment, "--health", "--json");
        Assert.Equal(0, exitCode);
        JsonElement report = JsonDocument.Parse(Assert.Single(output.TrimEnd('\n').Split('\n'))).RootElement;
        Assert.True(report.GetProperty("healthy").GetBoolean());
        Assert.Equal(line, report.GetProperty("text").GetString());
        JsonElement[] cameras = [.. report.GetProperty("cameras").EnumerateArray()];
        Assert.Equal(["pattern", "gone"], cameras.Select(camera => camera.GetProperty("key").GetString()));
        Assert.All(cameras, camera => Assert.True(camera.GetProperty("answers").GetBoolean()));
        Assert.Equal("live", cameras[0].GetProperty("state").GetString());
        Assert.Equal("source_lost", cameras[1].GetProperty("state").GetString());
        Assert.NotEqual("", cameras[1].GetProperty("text").GetString());
        Assert.DoesNotContain("a-secret-word", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_daemon_that_does_not_answer_is_ill_until_it_answers_again()
    {
        using DaemonProcess daemon = DaemonProcess.Run(Cameras);
        daemon.WaitFor("pattern", info => info.Description?.State == StreamState.Live);
        daemon.Signal(Stop);
        try
        {
            (int exitCode, string output, _) = DaemonProcess.Execute(daemon.Environment, "--health");
            Assert.Equal(1, exitCode);
            Assert.Equal(
                $"unhealthy: 0 of 2 cameras answer in {daemon.RuntimeDirectory}: pattern does not answer (no answer within 2 s); gone does not answer (no answer within 2 s)",
                output.TrimEnd('\n'));
        }
        finally
        {
            daemon.Signal(Continue);
        }

        Assert.Equal(0, DaemonProcess.Execute(daemon.Environment, "--health").ExitCode);
    }

    [Fact]
    public void A_camera_without_a_stream_makes_it_ill()
    {
        using DaemonProcess daemon = DaemonProcess.Run(Cameras);
        string other = Path.Combine(daemon.Folder, "other.yaml");
        File.WriteAllText(other, Cameras + "\n  absent: {source: \"test:64x48@50\"}\n");

        (int exitCode, string output, _) = DaemonProcess.Execute(daemon.Environment, "--health", "--json", "--config", other);
        Assert.Equal(1, exitCode);
        JsonElement report = JsonDocument.Parse(output).RootElement;
        Assert.False(report.GetProperty("healthy").GetBoolean());
        Assert.Equal([true, true, false], report.GetProperty("cameras").EnumerateArray().Select(camera => camera.GetProperty("answers").GetBoolean()));
        Assert.Equal(JsonValueKind.Null, report.GetProperty("cameras")[2].GetProperty("state").ValueKind);
        Assert.NotEqual("", report.GetProperty("cameras")[2].GetProperty("text").GetString());
    }

    [Fact]
    public void Without_a_daemon_or_with_a_broken_configuration_it_says_what_is_wrong()
    {
        using DaemonProcess daemon = new(Cameras);
        (int exitCode, string output, _) = DaemonProcess.Execute(daemon.Environment, "--health");
        Assert.Equal(1, exitCode);
        Assert.StartsWith("unhealthy: 0 of 2 cameras answer", output, StringComparison.Ordinal);

        daemon.Write("cameras: {pattern: {sorce: x}}");
        (exitCode, output, _) = DaemonProcess.Execute(daemon.Environment, "--health");
        Assert.Equal(1, exitCode);
        Assert.StartsWith($"unhealthy: {daemon.ConfigurationPath}:1:", Assert.Single(output.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);

        daemon.Write("cameras: {}");
        (exitCode, output, _) = DaemonProcess.Execute(daemon.Environment, "--health");
        Assert.Equal((0, "healthy: no camera is enabled, so there is nothing to ask\n"), (exitCode, output));
    }

    [Theory]
    [InlineData("--json")]
    [InlineData("--check", "--health")]
    public void Options_that_do_not_go_together_are_refused(params string[] arguments)
    {
        using DaemonProcess daemon = new(Cameras);
        (int exitCode, string output, string errors) = DaemonProcess.Execute(daemon.Environment, arguments);
        Assert.Equal((2, ""), (exitCode, output));
        Assert.Contains("--health", errors, StringComparison.Ordinal);
    }
}
