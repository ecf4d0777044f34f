using System.Globalization;
using System.Net.Sockets;
using CuFrames.Client;
using CuFrames.Control;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using Xunit;

namespace CuFrames.Resilience.Tests;

/// <summary>Ceilings refuse newcomers with a clear text, before the system fails; and when it fails all the same, those who are there go on.</summary>
public sealed class CeilingTests
{
    private const string Steady = "defaults: {lossless: 60s, readers: everyone}\ncameras:\n  steady: {source: 'test:nv12@160x120@50'}\n";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_camera_above_the_limit_of_memory_is_refused_until_there_is_room(bool isolated)
    {
        string big = Steady + $"  big: {{source: 'test:nv12@1280x720@25', isolated: {(isolated ? "true" : "false")}}}\n";
        using DaemonProcess daemon = DaemonProcess.Run("limits: {memory: 4MiB}\n" + big);
        using SteadyReader steady = new(daemon, "steady");
        string line = daemon.WaitForLog("[309 camera-not-admitted] big: ");
        Assert.Matches(@"asks for 7\.9 MiB of main memory \(limits\.memory\); the limit of all streams is [34]\.\d MiB, in use are 0\.\d MiB", line);
        Assert.Contains("Raise the limit", line, StringComparison.Ordinal);
        daemon.WaitForLog("[760 ceilings-set] Main memory of all rings: 4 MiB; ");
        steady.WaitForMore(20);

        int seen = daemon.Log.Count;
        daemon.Write("limits: {memory: 64MiB}\n" + big);
        daemon.Signal(Signals.HangUp);
        daemon.WaitForLog("[760 ceilings-set] Main memory of all rings: 64 MiB; ", seen: seen);
        if (isolated)
        {
            // What a worker may take is what the others left when it started.
            Signals.Send(Workers.Of(daemon, "big"), Workers.Kill);
        }

        daemon.WaitForLog("[301 camera-live] big: ", seen: seen);
        using (FrameSubscriber reader = daemon.Subscribe("big"))
        {
            PatternReader.Next(reader);
        }

        if (isolated)
        {
            // A newcomer finds less room, because the worker has told what it took: 8 of 10 MiB. It does so twice a second.
            using ControlClient client = new(Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName));
            Until.True(
                () => client.GetCameraAsync("big", TestContext.Current.CancellationToken).Result.Streams.Any(stream => stream.Published > 0),
                "the worker's word does not come",
                () => daemon.LogText);
            seen = daemon.Log.Count;
            daemon.Write("limits: {memory: 12MiB}\n" + big + "  next: {source: 'test:nv12@1280x720@25'}\n");
            daemon.Signal(Signals.HangUp);
            Assert.Matches(@"in use are 8\.\d MiB", daemon.WaitForLog("[309 camera-not-admitted] next: ", seen: seen));
        }

        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public void Readers_and_cameras_above_the_limit_of_descriptors_are_refused_and_come_in_when_there_is_room()
    {
        const string Cameras = Steady + "  one: {source: 'test:nv12@64x48@5'}\n  two: {source: 'test:nv12@64x48@5'}\n  three: {source: 'test:nv12@64x48@5'}\n";

        // Less than it wants, and the daemon makes the most of it. What is above the limit is for the runtime, which opens its own files when it first
        // needs what is in them, and for files that are read in passing.
        using DaemonProcess daemon = new("limits: {descriptors: 280}\n" + Cameras) { Prefix = ["prlimit", "--nofile=64:420"] };
        daemon.Start();
        daemon.WaitForLog("[760 ceilings-set]", "file descriptors: 280 of 420;");
        using SteadyReader steady = new(daemon, "steady");
        List<FrameSubscriber> readers = [];
        try
        {
            CuFramesException? refusal = null;
            foreach (string key in (ReadOnlySpan<string>)["one", "two", "three"])
            {
                daemon.WaitFor(key, info => info.Description?.State == StreamState.Live);
                for (int i = 0; i < 60 && refusal is null; i++)
                {
                    try
                    {
                        readers.Add(FrameSubscriber.Connect(key, new SubscriberOptions { Directory = daemon.RuntimeDirectory, Reconnect = false }));
                    }
                    catch (CuFramesException error) when (error.Code == ErrorCode.OutOfResources)
                    {
                        refusal = error;
                    }
                }
            }

            Assert.NotNull(refusal);
            Assert.Matches(@"needs 1 more file descriptor; the limit of the process is 280, in use are 2\d\d\.", refusal.Message);
            Assert.Contains("limits.descriptors", refusal.Message, StringComparison.Ordinal);
            steady.WaitForMore(20);

            int seen = daemon.Log.Count;
            daemon.Write("limits: {descriptors: 280}\n" + Cameras + "  four: {source: 'test:nv12@64x48@5'}\n");
            daemon.Signal(Signals.HangUp);
            Assert.Contains("Camera 'four' needs 24 more file descriptors; the limit of the process is 280", daemon.WaitForLog("[309 camera-not-admitted] four: ", seen: seen), StringComparison.Ordinal);
        }
        finally
        {
            readers.ForEach(reader => reader.Dispose());
        }

        // There is room again, and nothing has to be done for it.
        using (FrameSubscriber reader = daemon.Subscribe("four"))
        {
            PatternReader.Next(reader);
        }

        // By itself it would leave an eighth to the rest of the process.
        daemon.Write("limits: {descriptors: auto}\n" + Cameras);
        daemon.Signal(Signals.HangUp);
        daemon.WaitForLog("[760 ceilings-set]", "file descriptors: 368 of 420;");
        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    /// <summary>A process without any descriptor cannot start a thread, and the runtime ends it: the last ones are for nobody who connects.</summary>
    [Fact]
    public void Connections_leave_the_daemon_the_descriptors_that_it_needs_itself()
    {
        // The configuration asks for all there are, and gets 268.
        using DaemonProcess daemon = new("limits: {descriptors: 300}\n" + Steady) { Prefix = ["prlimit", "--nofile=300:300"] };
        daemon.Start();
        Assert.Contains("file descriptors: 268 of 300", daemon.WaitForLog("[760 ceilings-set]"), StringComparison.Ordinal);
        using SteadyReader steady = new(daemon, "steady");
        steady.WaitForMore(5);
        daemon.WaitForLog("[700 control-ready]");
        List<Socket> connections = [];
        try
        {
            // Connections that say nothing, until the daemon takes no more.
            Until.True(
                () =>
                {
                    Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    connections.Add(socket);
                    socket.Connect(new UnixDomainSocketEndPoint(Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName)));
                    return daemon.Log.Any(line => line.Contains("[761 connection-closed]", StringComparison.Ordinal));
                },
                "the daemon takes all connections",
                () => daemon.LogText);
            string line = daemon.WaitForLog("[761 connection-closed]");
            Assert.Contains("A connection to the control API needs 1 more file descriptor; the limit of the process is 268", line, StringComparison.Ordinal);
            Assert.Contains("limits.descriptors", line, StringComparison.Ordinal);

            // Readers come to the same limit, and those that are there do not notice.
            StreamUnavailableException refused = Assert.Throws<StreamUnavailableException>(() => daemon.Subscribe("steady", reconnect: false).Dispose());
            Assert.Contains("limits.descriptors", refused.Message, StringComparison.Ordinal);
            steady.WaitForMore(100);
            Assert.InRange(Directory.GetFiles($"/proc/{daemon.ProcessId}/fd").Length, 200, 299);
        }
        finally
        {
            connections.ForEach(connection => connection.Dispose());
        }

        // There is room again as soon as the daemon has noticed that they are gone.
        Until.True(
            () =>
            {
                try
                {
                    using FrameSubscriber late = daemon.Subscribe("steady");
                    PatternReader.Next(late);
                    return true;
                }
                catch (StreamUnavailableException error) when (error.Message.Contains("limits.descriptors", StringComparison.Ordinal))
                {
                    return false;
                }
            },
            "no reader comes in",
            () => daemon.LogText);
        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public void The_daemon_lives_through_memory_that_the_kernel_does_not_give()
    {
        // A ring of 1.5 GiB does not fit into the address space that is left.
        using DaemonProcess daemon = new("limits: {memory: none}\n" + Steady + "  huge: {source: 'test:rgba@8192x8192@1'}\n")
        {
            Prefix = ["prlimit", $"--as={3000L << 20}"],
        };

        // What the runtime and the C library set aside, so that it is known how much is left.
        daemon.Environment["MALLOC_ARENA_MAX"] = "1";
        daemon.Environment["DOTNET_GCHeapHardLimit"] = (256L << 20).ToString("x", CultureInfo.InvariantCulture);
        daemon.Start();
        using SteadyReader steady = new(daemon, "steady");
        string line = daemon.WaitForLog("[309 camera-not-admitted] huge: ");
        Assert.Contains("ENOMEM", line, StringComparison.Ordinal);
        Assert.Contains("Next attempt in", line, StringComparison.Ordinal);
        steady.WaitForMore(50);
        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("camera-fault", daemon.LogText, StringComparison.Ordinal);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_camera_above_the_limit_of_cameras_is_refused()
    {
        using DaemonProcess daemon = DaemonProcess.Run("limits: {cameras: 2}\n" + Steady + "  other: {source: 'test:nv12@64x48@5'}\n");
        int seen = daemon.Log.Count;
        daemon.Write("limits: {cameras: 2}\n" + Steady + "  other: {source: 'test:nv12@64x48@5'}\n  third: {source: test}\n");
        daemon.Signal(Signals.HangUp);
        Assert.Contains("3 cameras, and limits.cameras is 2. Accepted: fewer cameras, or a higher limit.", daemon.WaitForLog("[201 configuration-invalid]", seen: seen), StringComparison.Ordinal);
        daemon.WaitForLog("[202 configuration-kept]", seen: seen);

        using ControlClient client = new(Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName));
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => client.AddCameraAsync("third", "{source: test}", TestContext.Current.CancellationToken));
        Assert.Equal(RpcStatus.ResourceExhausted, error.Status);
        Assert.Contains("limits.cameras, which is 2; there are 2", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, daemon.End().ExitCode);
    }
}
