using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Resilience.Tests;

/// <summary>Errors that no code expects.</summary>
public sealed class FaultTests
{
    private const string Head = "defaults: {lossless: 60s, readers: everyone}\ncameras:\n  steady: {source: 'test:nv12@160x120@50'}\n";
    private const string Secret = "Geh3imes-Passwort";

    [Fact]
    public void An_exception_of_a_camera_thread_ends_neither_the_daemon_nor_another_camera()
    {
        using DaemonProcess daemon = new(Head + "  faulty: {source: 'test:nv12@96x64@50'}\n");
        daemon.Environment["DOTNET_STARTUP_HOOKS"] = typeof(FaultTests).Assembly.Location;
        daemon.Environment["CUFRAMES_FAULT"] = "camera-exception:faulty";
        daemon.Start();
        using SteadyReader steady = new(daemon, "steady");
        string first = daemon.WaitForLog("[305 camera-fault] faulty: ");
        Assert.Contains("InvalidOperationException: A fault was injected.", first, StringComparison.Ordinal);
        Assert.Contains("Starting again in 1 s.", first, StringComparison.Ordinal);

        // Again, and more slowly each time.
        daemon.WaitForLog("[305 camera-fault] faulty: ", "Starting again in 2 s.");
        daemon.WaitForLog("[305 camera-fault] faulty: ", "Starting again in 4 s.");
        steady.WaitForMore(20);
        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public void An_exception_that_no_thread_handles_is_logged_without_secrets_and_workers_end_with_the_daemon()
    {
        using TemporaryDirectory folder = new();
        string file = Path.Combine(folder.Path, "throw");
        using DaemonProcess daemon = new(Head + $"  alone: {{source: 'test:nv12@96x64@50', isolated: true}}\n  other: {{source: 'rtsp://u:{Secret}@127.0.0.1:1/x'}}\n");
        daemon.Environment["DOTNET_STARTUP_HOOKS"] = typeof(FaultTests).Assembly.Location;
        daemon.Environment["RESILIENCE_THROW"] = file;
        daemon.Start();
        int worker = Workers.Of(daemon, "alone");
        using (FrameSubscriber reader = daemon.Subscribe("alone"))
        {
            PatternReader.Next(reader);
        }

        // Written elsewhere first: the thread that waits for it must find it whole.
        File.WriteAllText(file + ".new", Secret);
        File.Move(file + ".new", file);
        Assert.Equal(128 + 6, daemon.WaitForExit());
        string line = daemon.WaitForLog("[325 thread-fault] ");
        Assert.Contains("Thread 'faulty': System.InvalidOperationException: An injected fault, with ***", line, StringComparison.Ordinal);
        Until.True(() => !Workers.IsRunning(worker), "the worker outlives the daemon");
    }
}
