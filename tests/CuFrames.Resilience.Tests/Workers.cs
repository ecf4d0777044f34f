using System.Globalization;
using CuFrames.Daemon.Tests;

namespace CuFrames.Resilience.Tests;

/// <summary>The worker processes of a daemon.</summary>
internal static class Workers
{
    public const int Kill = 9;

    /// <summary>Waits until the daemon's log tells of a worker, and gives its process.</summary>
    /// <param name="daemon">The daemon.</param>
    /// <param name="key">The camera.</param>
    /// <param name="seen">Lines of the log that are passed over.</param>
    public static int Of(DaemonProcess daemon, string key, int seen = 0)
    {
        string line = daemon.WaitForLog($"[320 worker-started] {key}: ", seen: seen);
        return int.Parse(line[(line.IndexOf("Process ", StringComparison.Ordinal) + 8)..].Split(' ')[0], CultureInfo.InvariantCulture);
    }

    /// <summary>Whether a process runs; one that has ended and was not asked for yet does not.</summary>
    public static bool IsRunning(int processId)
    {
        try
        {
            string status = File.ReadAllText($"/proc/{processId}/stat");
            return status[status.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
