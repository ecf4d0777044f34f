using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Interop.Tests;

public sealed unsafe class FutexTests : IDisposable
{
    private const MemoryFileSeals ReaderSeals =
        MemoryFileSeals.Seal | MemoryFileSeals.Shrink | MemoryFileSeals.Grow | MemoryFileSeals.FutureWrite;

    private readonly FileDescriptor _file = MemoryFile.Create("futex", 4096);
    private readonly MemoryMapping _writer;
    private readonly MemoryMapping _reader;

    public FutexTests()
    {
        _writer = MemoryMapping.Map(_file, 4096, MappingAccess.ReadWrite);
        MemoryFile.AddSeals(_file, ReaderSeals);
        _reader = MemoryMapping.Map(_file, 4096, MappingAccess.ReadOnly);
    }

    private uint* Word => (uint*)_writer.Pointer;

    private uint* ReadOnlyWord => (uint*)_reader.Pointer;

    public void Dispose()
    {
        _reader.Dispose();
        _writer.Dispose();
        _file.Dispose();
    }

    [Fact]
    public void A_process_that_sleeps_on_a_read_only_mapping_is_woken_by_another()
    {
        using var directory = new TemporaryDirectory();
        string path = directory.PathOf("futex.sock");
        using UnixSocket listener = UnixSocket.Listen(path, 4, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using ChildProcess child = ChildProcess.Start("futex", path);
        Assert.NotEqual(IoEvents.None, listener.Poll(IoEvents.Readable, 90_000));
        Assert.True(listener.TryAccept(out UnixSocket? connection));
        using (connection)
        {
            Assert.Equal(SendStatus.Sent, connection.Send([1], [_file]));
            Assert.Equal("sleeping", child.ReadLine());

            // The word stays as the child expects it, so nothing but a wake can end its sleep.
            Assert.Equal(1, WakeWhenAsleep(int.MaxValue));
            Assert.Equal("Woken 0", child.ReadLine());
        }
    }

    [Fact]
    public void A_word_that_has_changed_is_not_waited_for()
    {
        *Word = 5;

        Assert.Equal(FutexWaitResult.ValueChanged, Futex.Wait(ReadOnlyWord, 4, -1));
        Assert.Equal(0, Futex.Wake(ReadOnlyWord, 1));
    }

    [Fact]
    public void A_wait_ends_when_its_time_is_over_and_not_before()
    {
        long start = MonotonicClock.NowNanoseconds;

        Assert.Equal(FutexWaitResult.TimedOut, Futex.Wait(ReadOnlyWord, 0, 60_000_000));

        Assert.True(MonotonicClock.NowNanoseconds - start >= 60_000_000);
        Assert.Equal(FutexWaitResult.TimedOut, Futex.Wait(ReadOnlyWord, 0, 0));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MaxValue)]
    public void A_wake_ends_the_longest_wait(long timeout)
    {
        FutexWaitResult result = default;
        BackgroundThread waiter = BackgroundThread.Start(() => result = Futex.Wait(ReadOnlyWord, 0, timeout));
        Assert.Equal(1, WakeWhenAsleep(1));
        waiter.Join();
        Assert.Equal(FutexWaitResult.Woken, result);
    }

    [Fact]
    public void No_more_sleepers_are_woken_than_asked_for()
    {
        BackgroundThread[] waiters = new BackgroundThread[3];
        for (int i = 0; i < waiters.Length; i++)
        {
            waiters[i] = BackgroundThread.Start(() => Futex.Wait(ReadOnlyWord, 0, -1));
        }

        for (int i = 0; i < waiters.Length; i++)
        {
            Assert.Equal(1, WakeWhenAsleep(1));
        }

        foreach (BackgroundThread waiter in waiters)
        {
            waiter.Join();
        }
    }

    [Fact]
    public void A_bad_word_is_an_error()
    {
        Assert.Equal(Errno.EINVAL, Assert.Throws<LinuxException>(() => Futex.Wait((uint*)(_writer.Pointer + 1), 0, 0)).Errno);
        Assert.Equal(Errno.EFAULT, Assert.Throws<LinuxException>(() => Futex.Wait((uint*)4096, 0, 0)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<LinuxException>(() => Futex.Wake((uint*)(_writer.Pointer + 1), 1)).Errno);
    }

    [Fact]
    public void Waiting_and_waking_allocate_nothing()
    {
        Once();
        Assert.Equal(0, Allocation.OfBestRound(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                Once();
            }
        }));

        void Once()
        {
            _ = Futex.Wait(ReadOnlyWord, 1, 1000);
            _ = Futex.Wait(ReadOnlyWord, 0, 1000);
            _ = Futex.Wake(Word, 1);
        }
    }

    /// <summary>Wakes as soon as somebody sleeps; gives up after a minute and a half, to fail and not to hang.</summary>
    private int WakeWhenAsleep(int count)
    {
        long end = MonotonicClock.NowNanoseconds + 90_000_000_000;
        int woken;
        while ((woken = Futex.Wake(Word, count)) == 0 && MonotonicClock.NowNanoseconds < end)
        {
            Thread.Yield();
        }

        return woken;
    }
}
