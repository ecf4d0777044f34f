using System.Globalization;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>The SDK's own thread runs no signal handler of the program.</summary>
public class SignalMaskTests
{
    // Those that SignalMask leaves open.
    private static readonly int[] Open = [4, 7, 8, 11, 34];

    // SIGKILL and SIGSTOP, which nobody can block, and the two that glibc keeps for itself.
    private static readonly int[] Unblockable = [9, 19, 32, 33];

    [Fact]
    public void The_control_thread_blocks_all_signals_but_the_runtimes_and_its_own_faults()
    {
        ulong before = MaskOf("/proc/thread-self/status");
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect();
        stream.Publish();
        subscriber.Next(TimeSpan.FromSeconds(90)).Dispose();
        Assert.Equal(before, MaskOf("/proc/thread-self/status"));
        string[] ours = [.. Directory.GetDirectories("/proc/self/task").Where(task => NameOf(task).StartsWith("cuframes", StringComparison.Ordinal))];
        Assert.Single(ours);
        foreach (string task in ours)
        {
            ulong mask = MaskOf(task + "/status");
            for (int signal = 1; signal <= 64; signal++)
            {
                bool isBlocked = (mask & (1UL << (signal - 1))) != 0;
                Assert.True(isBlocked != (Open.Contains(signal) || Unblockable.Contains(signal)), $"signal {signal} of {task}: {(isBlocked ? "blocked" : "open")}");
            }
        }
    }

    [Fact]
    public void The_callers_mask_comes_back()
    {
        ulong before = MaskOf("/proc/thread-self/status");
        using (SignalMask.BlockAll())
        {
            Assert.NotEqual(before, MaskOf("/proc/thread-self/status"));
        }

        Assert.Equal(before, MaskOf("/proc/thread-self/status"));
    }

    [Fact]
    public void A_null_reference_on_the_control_thread_is_an_exception_and_not_the_end_of_the_process()
    {
        Faulty faulty = new();
        ControlLoop.Shared.AddTicker(faulty);
        try
        {
            TestStream.Until(() => faulty.Error is not null, "the source is told of its error");
        }
        finally
        {
            ControlLoop.Shared.RemoveTicker(faulty);
        }

        Assert.IsType<NullReferenceException>(faulty.Error);
    }

    private static string NameOf(string task)
    {
        try
        {
            return File.ReadAllText(task + "/comm");
        }
        catch (IOException)
        {
            // A thread of an earlier test, or of the pool, has ended since it was listed.
            return "";
        }
    }

    private static ulong MaskOf(string path)
    {
        string line = File.ReadLines(path).First(line => line.StartsWith("SigBlk:", StringComparison.Ordinal));
        return ulong.Parse(line.AsSpan(7), NumberStyles.HexNumber | NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture);
    }

    private sealed class Faulty : LoopSource
    {
        private volatile Exception? _error;
        private string? _nothing;

        public Exception? Error => _error;

        public override void OnReady(IoEvents events)
        {
        }

        public override void OnTick(long now) => _nothing = _nothing!.Trim();

        public override void OnError(Exception error) => _error = error;
    }
}
