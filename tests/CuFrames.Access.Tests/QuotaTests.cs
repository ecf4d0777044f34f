using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Access.Tests;

/// <summary>Quotas of one user over all streams of the daemon.</summary>
public sealed class QuotaTests : IDisposable
{
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    [Fact]
    public void Readers_leases_and_streams_are_limited_for_each_user_and_given_back_when_a_reader_is_killed()
    {
        string clip = _clips.H264("clip.mkv", 64, 48, 4);
        File.SetUnixFileMode(_clips.Folder, (UnixFileMode)0b111_101_101);
        int taps = Ports.Free();
        string Configuration(string quotas) => $$"""
            directory: {run}
            taps: {http: '127.0.0.1:{{taps}}'}
            permissions:
              audit: off
              quotas: {{quotas}}
            defaults: {readers: everyone}
            cameras:
              a: {source: 'test:i420@64x48@25', renditions: { small: { size: 32x24 } } }
              b: {source: 'test:i420@64x48@25'}
              c: {source: '{{clip}}', loop: true}
            """;
        using AccessDaemon daemon = AccessDaemon.Run(Configuration("{readers: 5, leases: 6, streams: 3, users: {news: {readers: 2}, man: {readers: none, leases: none, streams: none}}}"));
        daemon.Process.WaitForLog("[600 taps-http]");
        foreach (string key in (string[])["a", "b", "c"])
        {
            daemon.Process.WaitFor(key, stream => stream.Description?.Head > 0);
        }

        string a = daemon.StreamSocket("a"), b = daemon.StreamSocket("b"), c = daemon.StreamSocket("c"), packets = daemon.StreamSocket("c+packets");
        using Actor one = new(Account.Stranger), two = new(Account.Stranger);

        // Readers, in two processes and of frames and packets: five in all.
        Assert.All(one.Hold(a, 2), Assert.Null);
        Assert.All(one.Hold(packets, 2, isForPackets: true), Assert.Null);
        Assert.Null(Assert.Single(two.Hold(b, 1)));
        RefuseMessage refusal = Assert.Single(two.Hold(a, 1))!;
        Assert.Equal(ErrorCode.TooManySubscribers, refusal.Code);
        Assert.Equal(
            $"User 10 (process {two.ProcessId}) may have 5 readers at once, by 'readers' of permissions.quotas in {daemon.Process.ConfigurationPath}, and has 5. End a reader of that user, or raise the quota there.",
            refusal.Text);

        // Taps count too, by both ways.
        Assert.Empty(two.Tap(Path.Combine(daemon.Process.RuntimeDirectory, "taps", "a.rawvideo"), 1));
        (int status, byte[] text) = two.Web(taps, "/a.jpeg");
        Assert.Equal(503, status);
        Assert.Contains("may have 5 readers at once", System.Text.Encoding.UTF8.GetString(text), StringComparison.Ordinal);

        // Other users have quotas of their own, root and the daemon's user none.
        using Actor listed = new(Account.Listed), member = new(Account.ListedGroupMember), root = new(Account.Root), own = new(Account.Own);
        List<RefuseMessage?> answers = listed.Hold(a, 3);
        Assert.Equal([true, true, false], answers.Select(answer => answer is null));
        Assert.Contains("'readers' of permissions.quotas.users.news in", answers[2]!.Text, StringComparison.Ordinal);
        Assert.All(member.Hold(a, 12), Assert.Null);
        Assert.All(root.Hold(b, 12), Assert.Null);
        Assert.All(own.Hold(c, 12), Assert.Null);

        // Killed: what it had is had again, as soon as the kernel has closed its sockets.
        one.Kill();
        using Actor three = new(Account.Stranger);
        WaitFor(() => three.Hold(a, 1)[0] is null);
        two.Kill();
        three.Kill();

        // Streams: frames and packets are one, a rendition is another.
        using Actor four = new(Account.Stranger);
        WaitFor(() => four.Hold(c, 1)[0] is null);
        WaitFor(() => four.Hold(packets, 1, isForPackets: true)[0] is null);
        WaitFor(() => four.Hold(a, 1)[0] is null);
        WaitFor(() => four.Hold(daemon.StreamSocket("a@small"), 1)[0] is null);

        // As long as a dead one has a reader, this one would be too many of them.
        WaitFor(() => !(refusal = four.Hold(b, 1)[0]!).Text.Contains("may have 5 readers at once", StringComparison.Ordinal));
        Assert.Contains("may have 3 streams at once, by 'streams' of permissions.quotas in", refusal.Text, StringComparison.Ordinal);
        four.Kill();

        // Leases: what is left is granted, and none is left then. A reader of packets has none.
        using FrameSubscriber watcher = daemon.Process.Subscribe("a");
        // Another user: what the dead ones had may not all be given back yet.
        using Actor five = new(Account.OwnGroupMember);
        Assert.Null(five.Hold(a, 1, leases: 4)[0]);
        Assert.Equal(4u, five.GrantedLeases);
        Assert.Null(five.Hold(a, 1, leases: 4)[0]);
        Assert.Equal(2u, five.GrantedLeases);
        refusal = five.Hold(b, 1, leases: 1)[0]!;
        Assert.Contains("may have 6 leases at once, by 'leases' of permissions.quotas in", refusal.Text, StringComparison.Ordinal);
        Assert.Null(five.Hold(packets, 1, isForPackets: true)[0]);

        // Other quotas: readers that are there stay, also above them.
        daemon.Reload(Configuration("{readers: 1}"));
        Assert.Contains("may have 1 readers at once", five.Hold(b, 1)[0]!.Text, StringComparison.Ordinal);
        daemon.Reload(Configuration("{}"));
        Assert.All(five.Hold(b, 8), Assert.Null);
        Assert.True(watcher.TryNext(DaemonProcess.Patience, out Frame frame));
        frame.Dispose();
        Assert.Equal(0, daemon.Process.End().ExitCode);
    }

    [Fact]
    public void Cameras_in_workers_and_in_the_daemon_count_together()
    {
        string clip = _clips.H264("clip.mkv", 64, 48, 4);
        File.SetUnixFileMode(_clips.Folder, (UnixFileMode)0b111_101_101);
        string Configuration(string quotas) => $$"""
            directory: {run}
            taps: {}
            permissions: {audit: off, quotas: {{quotas}}}
            defaults: {readers: everyone}
            cameras:
              left: {source: 'test:i420@64x48@25', isolated: true, renditions: { small: { size: 32x24 } } }
              right: {source: '{{clip}}', loop: true, isolated: true}
              here: {source: 'test:i420@64x48@25'}
            """;
        using AccessDaemon daemon = AccessDaemon.Run(Configuration("{readers: 4}"));
        foreach (string key in (string[])["left", "right", "here"])
        {
            daemon.Process.WaitFor(key, stream => stream.Description?.Head > 0);
        }

        string left = daemon.StreamSocket("left"), right = daemon.StreamSocket("right"), packets = daemon.StreamSocket("right+packets"), here = daemon.StreamSocket("here");
        string tap = Path.Combine(daemon.Process.RuntimeDirectory, "taps", "left.rawvideo");
        using Actor one = new(Account.Stranger), two = new(Account.Stranger);

        // Readers in both workers and in the daemon, of frames and of packets: four in all, wherever the next one asks.
        Assert.Null(Assert.Single(one.Hold(left, 1)));
        Assert.Null(Assert.Single(two.Hold(right, 1)));
        Assert.Null(Assert.Single(one.Hold(packets, 1, isForPackets: true)));
        Assert.Null(Assert.Single(two.Hold(here, 1)));
        foreach (string socket in (string[])[left, right, here])
        {
            RefuseMessage refusal = Assert.Single(two.Hold(socket, 1))!;
            Assert.Equal(ErrorCode.TooManySubscribers, refusal.Code);
            Assert.Equal(
                $"User 10 (process {two.ProcessId}) may have 4 readers at once, by 'readers' of permissions.quotas in {daemon.Process.ConfigurationPath}, and has 4. End a reader of that user, or raise the quota there.",
                refusal.Text);
        }

        Assert.Empty(two.Tap(tap, 1));
        using (Actor listed = new(Account.Listed), root = new(Account.Root), own = new(Account.Own))
        {
            Assert.Equal([true, true, true, true, false], listed.Hold(left, 5).Select(answer => answer is null));
            Assert.All(root.Hold(left, 8), Assert.Null);
            Assert.All(own.Hold(right, 8), Assert.Null);
        }

        // A reader that is killed gives back what it had in a worker.
        one.Kill();
        using Actor three = new(Account.Stranger);
        WaitFor(() => three.Hold(right, 1)[0] is null);
        WaitFor(() => three.Hold(left, 1)[0] is null);
        Assert.NotNull(three.Hold(here, 1)[0]);

        // So does a worker: of the four, two were in it.
        int worker = WorkerOf(daemon, "right"), seen = daemon.Process.Log.Count;
        Signals.Send(worker, 9);
        daemon.Process.WaitForLog("[321 worker-ended] right: ", seen: seen);
        Assert.Equal([true, true, false], three.Hold(here, 3).Select(answer => answer is null));
        daemon.Process.WaitForLog("[320 worker-started] right: ", seen: seen);
        daemon.Process.WaitFor("right", stream => stream.Description?.Head > 0);
        Assert.NotNull(three.Hold(right, 1)[0]);
        two.Kill();
        three.Kill();

        // A reload holds in workers that run. The streams of a user are counted once, also where a tap of the daemon and a reader in the worker share one.
        daemon.Reload(Configuration("{streams: 2, leases: 5}"));
        // Another user: what the dead ones had may not all be given back yet.
        using Actor four = new(Account.OwnGroupMember);
        Assert.Null(four.Hold(left, 1, leases: 4)[0]);
        Assert.Equal(4u, four.GrantedLeases);
        Assert.NotEmpty(four.Tap(tap, 1));
        Assert.Null(four.Hold(right, 1, leases: 4)[0]);
        Assert.Equal(1u, four.GrantedLeases);
        Assert.Contains("may have 5 leases at once, by 'leases'", four.Hold(right, 1)[0]!.Text, StringComparison.Ordinal);
        foreach (string socket in (string[])[here, daemon.StreamSocket("left@small")])
        {
            Assert.Contains("may have 2 streams at once, by 'streams'", four.Hold(socket, 1)[0]!.Text, StringComparison.Ordinal);
        }

        Assert.Null(four.Hold(packets, 1, isForPackets: true)[0]);
        Assert.Equal(0, daemon.Process.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.Process.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void Readers_that_come_to_several_processes_at_once_are_never_more_than_the_quota()
    {
        using AccessDaemon daemon = AccessDaemon.Run("""
            directory: {run}
            permissions: {audit: off, quotas: {readers: 7}}
            defaults: {readers: everyone}
            cameras:
              left: {source: 'test:i420@64x48@25', isolated: true}
              right: {source: 'test:i420@64x48@25', isolated: true}
              here: {source: 'test:i420@64x48@25'}
            """);
        string[] keys = ["left", "right", "here"];
        foreach (string key in keys)
        {
            daemon.Process.WaitFor(key, stream => stream.Description?.Head > 0);
        }

        for (int round = 0; round < 5; round++)
        {
            Actor[] actors = [.. keys.Select(_ => new Actor(Account.Stranger))];
            try
            {
                // Those of the round before are dead, and noticed one by one: all that are let in are counted, until the quota is full again.
                int holding = 0;
                WaitFor(() =>
                {
                    List<RefuseMessage?>[] answers = new List<RefuseMessage?>[keys.Length];
                    Parallel.For(0, keys.Length, i => answers[i] = actors[i].Hold(daemon.StreamSocket(keys[i]), 6));
                    holding += answers.Sum(answer => answer.Count(refusal => refusal is null));
                    Assert.InRange(holding, 0, 7);
                    return holding == 7;
                });
            }
            finally
            {
                Array.ForEach(actors, actor => actor.Dispose());
            }
        }
    }

    [Fact]
    public void A_worker_whose_daemon_does_not_answer_refuses_in_time_and_nothing_is_lost()
    {
        using AccessDaemon daemon = AccessDaemon.Run("""
            directory: {run}
            permissions: {audit: off, quotas: {readers: 3}}
            defaults: {readers: everyone}
            cameras:
              apart: {source: 'test:i420@64x48@25', isolated: true}
            """);
        daemon.Process.WaitFor("apart", stream => stream.Description?.Head > 0);
        string socket = daemon.StreamSocket("apart");
        using FrameSubscriber watcher = daemon.Process.Subscribe("apart");
        using Actor early = new(Account.Stranger), late = new(Account.Stranger), root = new(Account.Root);
        Assert.Null(early.Hold(socket, 1)[0]);
        daemon.Process.Signal(19);
        try
        {
            RefuseMessage refusal = late.Hold(socket, 1)[0]!;
            Assert.Equal(ErrorCode.HandshakeTimeout, refusal.Code);
            Assert.Contains("did not answer in time", refusal.Text, StringComparison.Ordinal);

            // Who has no quota does not need the daemon, and nobody waits for those who do.
            Assert.Null(root.Hold(socket, 1)[0]);
            for (int i = 0; i < 50; i++)
            {
                Assert.True(watcher.TryNext(DaemonProcess.Patience, out Frame frame));
                frame.Dispose();
            }
        }
        finally
        {
            daemon.Process.Signal(18);
        }

        // What the daemon grants too late is given back.
        int holding = 1;
        WaitFor(() =>
        {
            holding += late.Hold(socket, 1)[0] is null ? 1 : 0;
            return holding == 3;
        });
        Assert.Contains("and has 3.", late.Hold(socket, 1)[0]!.Text, StringComparison.Ordinal);
        Assert.Equal(0, daemon.Process.End().ExitCode);
    }

    private static int WorkerOf(AccessDaemon daemon, string key)
    {
        string line = daemon.Process.WaitForLog($"[320 worker-started] {key}: ");
        return int.Parse(line[(line.IndexOf("Process ", StringComparison.Ordinal) + 8)..].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>The daemon hears of a dead process when the kernel has closed its sockets, a moment later.</summary>
    private static void WaitFor(Func<bool> condition)
    {
        System.Diagnostics.Stopwatch time = System.Diagnostics.Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(time.Elapsed < DaemonProcess.Patience, "what a dead reader had is not given back");
            Thread.Sleep(20); // Nothing tells when.
        }
    }
}
