using CuFrames.Daemon.Tests;
using Xunit;

namespace CuFrames.Resilience.Tests;

/// <summary>A reload is judged as a whole before anything changes, also by what would only be found out when it is applied.</summary>
public sealed class WholeReloadTests
{
    private const string Steady = "defaults: {lossless: 60s, readers: everyone}\ncameras:\n  steady: {source: 'test:nv12@160x120@50'}\n";

    [Fact]
    public void A_directory_that_cannot_be_had_changes_nothing()
    {
        using DaemonProcess daemon = new(Steady);
        daemon.Environment["CUFRAMES_DIR"] = null;
        daemon.Write("directory: {run}\n" + Steady);
        daemon.Start();
        using SteadyReader steady = new(daemon, "steady");
        steady.WaitForMore(10);
        string file = Path.Combine(daemon.Folder, "file");
        File.WriteAllText(file, "");
        foreach ((string directory, string reason) in ((string, string)[])
            [(Path.Combine(daemon.Folder, "no", "run"), "its parent"), (file, "is a file"), ("/proc/self", "/proc/self")])
        {
            int seen = daemon.Log.Count;
            daemon.Write($"directory: {directory}\n" + Steady + "  other: {source: test}\n");
            daemon.Signal(Signals.HangUp);
            Assert.Contains(reason, daemon.WaitForLog("[201 configuration-invalid]", "directory: ", seen), StringComparison.Ordinal);
            daemon.WaitForLog("[202 configuration-kept]", "(SIGHUP)", seen);
            steady.WaitForMore(10);
        }

        steady.Finish();
        Assert.DoesNotContain("camera-stopped", daemon.LogText, StringComparison.Ordinal);
        Assert.DoesNotContain("] other: ", daemon.LogText, StringComparison.Ordinal);
        Assert.Equal(0, daemon.End().ExitCode);
    }
}
