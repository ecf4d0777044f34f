using System.Diagnostics;
using System.Net;
using CuFrames.Control;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Hostile.Tests;

/// <summary>
/// Strangers attack the control socket and the web server as long and as hard as they can. Meanwhile every frame comes and is whole, and other users are
/// answered. Afterwards the daemon has what it had before.
/// </summary>
public sealed class AttackTests
{
    /// <summary>What may remain of memory: heaps and arenas keep some of what they had to have once.</summary>
    private const double MostMemoryLeftMiB = 48;

    /// <summary>.NET's pool keeps threads for a while.</summary>
    private const int MostThreadsLeft = 6;

    // Slots for some seconds: a machine with two cores, an attacker and other tests may let this reader wait.
    private const string Configuration = """
        directory: {run}
        web: 127.0.0.1:{port}
        cameras:
          pattern: {source: "test:nv12@320x240@8", slots: 48, max_slots: 48}
        """;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData("malformed")]
    [InlineData("huge")]
    [InlineData("half")]
    [InlineData("resets")]
    [InlineData("flood")]
    [InlineData("slow")]
    [InlineData("silent")]
    [InlineData("deaf")]
    public async Task An_attack_on_the_control_socket_touches_no_frame_and_nobody_else(string kind)
    {
        using DaemonProcess daemon = Start(out int port);
        await AttackAsync(daemon, port, kind, "unix:" + Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName));
    }

    [Theory]
    [InlineData("malformed")]
    [InlineData("huge")]
    [InlineData("half")]
    [InlineData("flood")]
    [InlineData("slow")]
    [InlineData("silent")]
    [InlineData("deaf")]
    public async Task An_attack_on_the_web_server_touches_no_frame_and_nobody_else(string kind)
    {
        using DaemonProcess daemon = Start(out int port);
        await AttackAsync(daemon, port, kind, $"127.0.0.1:{port}");
    }

    private static DaemonProcess Start(out int port)
    {
        port = Ports.Free();
        DaemonProcess daemon = DaemonProcess.Run(Configuration.Replace("{port}", $"{port}", StringComparison.Ordinal));
        daemon.WaitForLog("[700 control-ready]");
        daemon.WaitForLog("[720 web-ready]");
        return daemon;
    }

    private static async Task AttackAsync(DaemonProcess daemon, int port, string kind, string target)
    {
        using Witness witness = new(daemon, "pattern");
        using ControlClient control = new(Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName)) { Timeout = DaemonProcess.Patience };

        // What is made once and stays is made before: code, pools, connections.
        for (int i = 0; i < 30; i++)
        {
            await AskAsync(daemon, control, port);
        }

        using (Attacker rehearsal = new(kind, target, seed: 1))
        {
            witness.WaitForFrames(8);
            rehearsal.End();
        }

        DaemonState before = await RestAsync(daemon);
        witness.WaitForFrames(4);
        using Attacker attacker = new(kind, target, seed: 2);
        Stopwatch time = Stopwatch.StartNew();
        int answered = 0;
        long frames = witness.Frames;
        while (time.Elapsed < Duration)
        {
            await AskAsync(daemon, control, port);
            answered++;

            // The pace of somebody who works, not of another attack.
            await Task.Delay(20, TestContext.Current.CancellationToken);
            witness.ThrowIfFaulty();
        }

        witness.WaitForFrames(4);
        IReadOnlyDictionary<string, long> done = attacker.End();
        TestContext.Current.TestOutputHelper?.WriteLine($"{string.Join(", ", done.Select(pair => $"{pair.Key} {pair.Value}"))}; {answered} answered, {witness.Frames - frames} frames");
        Assert.True(done["connections"] > 50, "the attack was none");

        DaemonState after = await SettleAsync(
            daemon,
            state => state.Descriptors <= before.Descriptors && state.Threads <= before.Threads + MostThreadsLeft && state.MemoryMiB <= before.MemoryMiB + MostMemoryLeftMiB);
        Assert.True(after.Descriptors <= before.Descriptors, $"descriptors: {before.Descriptors} before, {after.Descriptors} after");
        Assert.True(after.Threads <= before.Threads + MostThreadsLeft, $"threads: {before.Threads} before, {after.Threads} after");
        Assert.True(after.MemoryMiB <= before.MemoryMiB + MostMemoryLeftMiB, $"memory: {before.MemoryMiB:0.0} MiB before, {after.MemoryMiB:0.0} after");
        witness.WaitForFrames(4);
        await AskAsync(daemon, control, port);
        Assert.DoesNotContain(daemon.Log, line => line.Contains("internal-error", StringComparison.Ordinal));
        Assert.True(daemon.Log.Count < 200, $"the attack filled the log with {daemon.Log.Count} lines");
    }

    /// <summary>Other users ask: by a connection that they have, by new ones, and at the web server.</summary>
    private static async Task AskAsync(DaemonProcess daemon, ControlClient control, int port)
    {
        Assert.Equal("pattern", Assert.Single(await control.ListCamerasAsync(TestContext.Current.CancellationToken)).Key);
        using ControlClient next = new(Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName)) { Timeout = DaemonProcess.Patience };
        Assert.Equal(daemon.ProcessId, (await next.GetDaemonAsync(TestContext.Current.CancellationToken)).ProcessId);
        using HttpClient web = new() { Timeout = DaemonProcess.Patience };
        using HttpResponseMessage answer = await web.GetAsync(new Uri($"http://127.0.0.1:{port}/health/live"), TestContext.Current.CancellationToken);
        Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.NotFound, $"{answer.StatusCode}");
    }

    /// <summary>Waits until the daemon's state is as wanted, or no more change is to be expected.</summary>
    private static async Task<DaemonState> SettleAsync(DaemonProcess daemon, Func<DaemonState, bool> isGood)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (true)
        {
            DaemonState state = DaemonState.Of(daemon.ProcessId);
            if (isGood(state) || time.Elapsed > DaemonProcess.Patience)
            {
                return state;
            }

            // A connection whose other end is gone, memory that the collector gives back: there is no event for it.
            await Task.Delay(200);
        }
    }

    /// <summary>The state when nothing has become less for a while.</summary>
    private static async Task<DaemonState> RestAsync(DaemonProcess daemon)
    {
        DaemonState least = DaemonState.Of(daemon.ProcessId);
        for (int quiet = 0; quiet < 15; quiet++)
        {
            await Task.Delay(200);
            DaemonState state = DaemonState.Of(daemon.ProcessId);
            if (state.Descriptors < least.Descriptors)
            {
                (least, quiet) = (state, 0);
            }
        }

        return least;
    }
}
