using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Interop.Tests;

public sealed class EventLoopTests : IDisposable
{
    private readonly EventLoop _loop = new();
    private readonly UnixSocket _first;
    private readonly UnixSocket _second;
    private readonly LoopEvent[] _events = new LoopEvent[8];
    private readonly DescriptorSet _received = new();
    private readonly byte[] _buffer = new byte[16];

    public EventLoopTests() => (_first, _second) = UnixSocket.CreatePair();

    public void Dispose()
    {
        _received.Dispose();
        _first.Dispose();
        _second.Dispose();
        _loop.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue + 1)]
    [InlineData(0x1122334455667788)]
    public void An_event_carries_its_token_whole(long token)
    {
        _loop.Add(_second, IoEvents.Readable, (nint)token);
        Assert.Equal(0, _loop.Wait(_events, 0));
        Assert.Equal(SendStatus.Sent, _first.TrySendSmall([1]));

        Assert.Equal(1, _loop.Wait(_events, -1));

        Assert.Equal((nint)token, _events[0].Token);
        Assert.Equal(IoEvents.Readable, _events[0].Events);

        // Level-triggered: reported until it is read.
        Assert.Equal(1, _loop.Wait(_events, 0));
        Assert.Equal(1, _second.Receive(_buffer, _received).Length);
        Assert.Equal(0, _loop.Wait(_events, 0));
    }

    [Fact]
    public void Edges_are_reported_once()
    {
        _loop.Add(_second, IoEvents.Readable | IoEvents.EdgeTriggered, 3);
        Assert.Equal(SendStatus.Sent, _first.TrySendSmall([1]));

        Assert.Equal(1, _loop.Wait(_events, 0));
        Assert.Equal(0, _loop.Wait(_events, 0));
        Assert.Equal(SendStatus.Sent, _first.TrySendSmall([2]));
        Assert.Equal(1, _loop.Wait(_events, 0));
    }

    [Fact]
    public void Hang_up_is_reported_without_being_asked_for()
    {
        _loop.Add(_second, IoEvents.None, 3);
        _first.Dispose();

        Assert.Equal(1, _loop.Wait(_events, 90_000));
        Assert.Equal(IoEvents.HangUp, _events[0].Events);
        _loop.Modify(_second.Descriptor, IoEvents.PeerClosed, 4);
        Assert.Equal(1, _loop.Wait(_events, 0));
        Assert.Equal(IoEvents.HangUp | IoEvents.PeerClosed, _events[0].Events);
        Assert.Equal(4, _events[0].Token);
    }

    [Fact]
    public void What_was_modified_or_removed_is_reported_accordingly()
    {
        _loop.Add(_second, IoEvents.Readable, 1);
        Assert.Equal(SendStatus.Sent, _first.TrySendSmall([1]));
        _loop.Modify(_second.Descriptor, IoEvents.Writable, 2);
        Assert.Equal(1, _loop.Wait(_events, 0));
        Assert.Equal(IoEvents.Writable, _events[0].Events);
        Assert.Equal(2, _events[0].Token);

        _loop.Remove(_second.Descriptor);
        Assert.Equal(0, _loop.Wait(_events, 0));
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => _loop.Remove(_second.Descriptor)).Errno);
        Assert.Equal(
            Errno.ENOENT,
            Assert.Throws<LinuxException>(() => _loop.Modify(_second.Descriptor, IoEvents.Readable, 1)).Errno);
        _loop.Add(_second, IoEvents.Readable, 1);
        Assert.Equal(
            Errno.EEXIST, Assert.Throws<LinuxException>(() => _loop.Add(_second, IoEvents.Readable, 1)).Errno);
    }

    [Fact]
    public void A_wake_from_another_thread_ends_the_wait_and_several_are_one()
    {
        int result = -1;
        BackgroundThread waiter = BackgroundThread.Start(() => result = _loop.Wait(_events, -1));
        waiter.WaitUntilAsleep();
        _loop.Wake();
        waiter.Join();
        Assert.Equal(0, result);

        for (int i = 0; i < 10; i++)
        {
            _loop.Wake();
        }

        Assert.Equal(0, _loop.Wait(_events, -1));
        long start = MonotonicClock.NowNanoseconds;
        Assert.Equal(0, _loop.Wait(_events, 60));
        Assert.True(MonotonicClock.NowNanoseconds - start >= 60_000_000);
    }

    [Fact]
    public void A_wake_does_not_hide_an_event()
    {
        _loop.Add(_second, IoEvents.Readable, 5);
        Assert.Equal(SendStatus.Sent, _first.TrySendSmall([1]));
        _loop.Wake();

        Assert.Equal(1, _loop.Wait(_events, -1));
        Assert.Equal(5, _events[0].Token);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(200)]
    public void More_events_than_room_are_reported_one_batch_after_the_other(int room)
    {
        const int count = 150;
        var pairs = new (UnixSocket First, UnixSocket Second)[count];
        for (int i = 0; i < count; i++)
        {
            pairs[i] = UnixSocket.CreatePair();
            _loop.Add(pairs[i].Second, IoEvents.Readable, i);
            Assert.Equal(SendStatus.Sent, pairs[i].First.TrySendSmall([1]));
        }

        var events = new LoopEvent[room];
        var seen = new HashSet<nint>();
        while (_loop.Wait(events, 0) is > 0 and var found)
        {
            for (int i = 0; i < found; i++)
            {
                Assert.True(seen.Add(events[i].Token));
                Assert.Equal(1, pairs[(int)events[i].Token].Second.Receive(_buffer, _received).Length);
            }
        }

        Assert.Equal(count, seen.Count);
        foreach ((UnixSocket first, UnixSocket second) in pairs)
        {
            first.Dispose();
            second.Dispose();
        }
    }

    [Fact]
    public void A_listener_is_ready_when_somebody_connects()
    {
        using var directory = new TemporaryDirectory();
        string path = directory.PathOf("loop.sock");
        using UnixSocket listener = UnixSocket.Listen(path, 4, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _loop.Add(listener, IoEvents.Readable, 9);
        Assert.Equal(0, _loop.Wait(_events, 0));
        using UnixSocket client = UnixSocket.Connect(path, 1000);

        Assert.Equal(1, _loop.Wait(_events, -1));
        Assert.True(listener.TryAccept(out UnixSocket? server));
        server.Dispose();
        Assert.Equal(0, _loop.Wait(_events, 0));
    }

    [Fact]
    public void Waiting_and_waking_allocate_nothing()
    {
        _loop.Add(_second, IoEvents.Readable, 5);
        byte[] payload = [1];
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
            _loop.Wake();
            if (_loop.Wait(_events, -1) != 0 || _first.TrySendSmall(payload) != SendStatus.Sent ||
                _loop.Wait(_events, 90_000) != 1 || _second.Receive(_buffer, _received).Length != 1)
            {
                throw new InvalidOperationException("The round trip failed.");
            }
        }
    }

    [Fact]
    public void What_cannot_be_watched_is_an_error()
    {
        using FileDescriptor file = MemoryFile.Create("unwatchable", 1);
        Assert.Equal(Errno.EPERM, Assert.Throws<LinuxException>(() => _loop.Add(file, IoEvents.Readable, 1)).Errno);
        Assert.Throws<ArgumentOutOfRangeException>(() => _loop.Add(_second, IoEvents.Readable, nint.MinValue));
        Assert.Throws<ArgumentException>(() => _loop.Wait([], 0));
    }
}
