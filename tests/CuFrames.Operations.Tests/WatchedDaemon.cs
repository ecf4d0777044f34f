using System.Diagnostics;
using System.Net;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;

namespace CuFrames.Operations.Tests;

/// <summary>A daemon with a web server, and whoever watches over it.</summary>
internal sealed class WatchedDaemon : IDisposable
{
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = DaemonProcess.Patience };

    /// <summary>Starts a daemon and waits until it is ready and serves.</summary>
    /// <param name="configuration">Its configuration without the key <c>web</c>.</param>
    /// <param name="web">More keys of <c>web</c>.</param>
    /// <param name="arguments">Arguments of the daemon.</param>
    public WatchedDaemon(string configuration, string web = "", params string[] arguments)
        : this(configuration, web, new Dictionary<string, string>(), arguments)
    {
    }

    /// <summary>Starts a daemon with more in its environment.</summary>
    public WatchedDaemon(string configuration, string web, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        Port = Ports.Free();
        Web = $"web: {{listen: '127.0.0.1:{Port}', dashboard: off{web}}}\n";
        Daemon = new DaemonProcess(Web + configuration);
        foreach ((string name, string value) in environment)
        {
            Daemon.Environment[name] = value;
        }

        try
        {
            Daemon.Start(arguments);
            Daemon.WaitForLog("ready");
            Daemon.WaitForLog("web-ready");
        }
        catch
        {
            Daemon.Dispose();
            throw;
        }
    }

    public DaemonProcess Daemon { get; }

    public int Port { get; }

    /// <summary>The line of the configuration with the web server.</summary>
    public string Web { get; }

    /// <summary>Runs promtool to its end.</summary>
    /// <returns>Exit code, and all that it said.</returns>
    public static async Task<(int ExitCode, string Said)> PromtoolAsync(string input, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("promtool", arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await errors);
    }

    public async Task<(HttpStatusCode Status, string Text)> GetAsync(string path)
    {
        using HttpResponseMessage answer = await _client.GetAsync(new Uri($"http://127.0.0.1:{Port}{path}"));
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Reads the metrics as Prometheus would.</summary>
    public async Task<Samples> ScrapeAsync()
    {
        using HttpResponseMessage answer = await _client.GetAsync(new Uri($"http://127.0.0.1:{Port}/metrics"));
        string text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, text);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType?.ToString());
        return Samples.Parse(text);
    }

    /// <summary>Reads the metrics until they are as wanted.</summary>
    public async Task<Samples> ScrapeUntilAsync(Func<Samples, bool> condition)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (true)
        {
            Samples samples = await ScrapeAsync();
            if (condition(samples))
            {
                return samples;
            }

            if (time.Elapsed > DaemonProcess.Patience * 2)
            {
                throw new TimeoutException($"the metrics never were as wanted:\n{samples.Text}\n{Daemon.LogText}");
            }

            // A snapshot is at most a quarter of a second old; there is no event for a new one.
            await Task.Delay(100);
        }
    }

    public void Dispose()
    {
        _client.Dispose();
        Daemon.Dispose();
    }
}
