using System.Runtime.InteropServices;
using Xunit;

namespace CuFrames.Interop.Tests;

/// <summary>Calls that wait are interrupted again and again by a signal that has a handler (EINTR).</summary>
public sealed class SignalTests : IDisposable
{
    // Long enough for the thread that sends the signals to get a processor in it.
    private const int Milliseconds = 600;

    private readonly TemporaryDirectory _directory = new();

    // Any handler will do: it makes the kernel end the system call. The runtime installs it for the whole process.
    private readonly PosixSignalRegistration _handler =
        PosixSignalRegistration.Create(PosixSignal.SIGWINCH, context => context.Cancel = true);

    public void Dispose()
    {
        _handler.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void Receive_waits_on()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
        using var received = new DescriptorSet();
        Disturb(() => Assert.Equal(
            ReceiveStatus.WouldBlock, second.Receive(new byte[16], received, Milliseconds).Status));
        first.Dispose();
        second.Dispose();
    }

    [Fact]
    public void Poll_waits_on()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
        Disturb(() => Assert.Equal(IoEvents.None, second.Poll(IoEvents.Readable, Milliseconds)));
        first.Dispose();
        second.Dispose();
    }

    [Fact]
    public void The_event_loop_waits_on()
    {
        using var loop = new EventLoop();
        LoopEvent[] events = new LoopEvent[4];
        Disturb(() => Assert.Equal(0, loop.Wait(events, Milliseconds)));
    }

    [Fact]
    public unsafe void The_futex_waits_on()
    {
        using FileDescriptor file = MemoryFile.Create("signal", 4096);
        using MemoryMapping mapping = MemoryMapping.Map(file, 4096, MappingAccess.ReadOnly);
        Disturb(() => Assert.Equal(
            FutexWaitResult.TimedOut, Futex.Wait((uint*)mapping.Pointer, 0, Milliseconds * 1_000_000L)));
    }

    [Fact]
    public void Connect_waits_on()
    {
        string path = _directory.PathOf("signal.sock");
        using UnixSocket listener = UnixSocket.Listen(path, 0, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using UnixSocket waiting = UnixSocket.Connect(path, 0);
        Disturb(() => Assert.Equal(
            Errno.ETIMEDOUT,
            Assert.Throws<LinuxException>(() => UnixSocket.Connect(path, Milliseconds)).Errno));
    }

    /// <summary>Runs a call that takes its full time, and signals its thread all the while.</summary>
    private static void Disturb(Action call)
    {
        long elapsed = 0;
        BackgroundThread thread = BackgroundThread.Start(() =>
        {
            long start = MonotonicClock.NowNanoseconds;
            call();
            elapsed = MonotonicClock.NowNanoseconds - start;
        });
        int signals = 0;
        while (thread.IsRunning)
        {
            thread.WaitUntilAsleep();
            if (TestLibC.SignalThread(Environment.ProcessId, thread.Id, TestLibC.SIGWINCH) == 0)
            {
                signals++;
            }
        }

        thread.Join();
        Assert.InRange(signals, 2, int.MaxValue);
        Assert.True(elapsed >= Milliseconds * 1_000_000L, $"ended after {elapsed} ns");
    }
}
