using System.Diagnostics;
using System.Globalization;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;

namespace CuFrames.Web.Tests;

/// <summary>A daemon with its web server at a port of its own.</summary>
internal sealed class WebDaemon : IDisposable
{
    /// <summary>Starts it and waits for the web server.</summary>
    /// <param name="configuration">What the configuration has beside <c>web</c>.</param>
    public WebDaemon(string configuration)
    {
        Daemon = DaemonProcess.Run($"web: 127.0.0.1:{Port}\n{configuration}");
        Daemon.WaitForLog("[720 web-ready]");
    }

    public DaemonProcess Daemon { get; private set; }

    public int Port { get; } = Ports.Free();

    public string Url => $"http://127.0.0.1:{Port}";

    /// <summary>Cameras c00, c01, ... with test patterns of different rates, as lines of the configuration.</summary>
    public static string Cameras(int count, string more = "") => "cameras:\n" + string.Concat(Enumerable.Range(0, count)
        .Select(i => string.Create(CultureInfo.InvariantCulture, $"  c{i:00}: {{source: \"test:nv12@320x180@{3 + (i % 4)}\"}}\n"))) + more;

    /// <summary>Runs curl and gives what it printed: head and body of the answer.</summary>
    public string Curl(params string[] arguments) => Run("curl", ["-s", "-i", "--max-time", "60", .. arguments]);

    /// <summary>Runs a program and gives what it printed.</summary>
    public static string Run(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output;
    }

    /// <summary>Waits for a condition that there is no event for.</summary>
    public static void WaitUntil(Func<bool> condition, Func<string> describe)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (!condition())
        {
            if (time.ElapsedMilliseconds > Browser.Patience)
            {
                throw new TimeoutException(describe());
            }

            // It has to be asked for.
            Thread.Sleep(50);
        }
    }

    public void Dispose() => Daemon.Dispose();
}
