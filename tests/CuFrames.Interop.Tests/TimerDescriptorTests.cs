using Xunit;

namespace CuFrames.Interop.Tests;

public sealed class TimerDescriptorTests : IDisposable
{
    private readonly EventLoop _outer = new();
    private readonly EventLoop _loop = new();
    private readonly TimerDescriptor _timer = new();
    private readonly LoopEvent[] _events = new LoopEvent[2];

    public TimerDescriptorTests()
    {
        // A loop can be watched like any other descriptor: that is how a subscriber's socket and timer become one.
        _loop.Add(_timer.Descriptor, IoEvents.Readable, 1);
        _outer.Add(_loop.Descriptor, IoEvents.Readable, 2);
    }

    public void Dispose()
    {
        _timer.Dispose();
        _loop.Dispose();
        _outer.Dispose();
    }

    [Fact]
    public void It_expires_once_and_stays_readable_until_it_is_set_anew_or_stopped()
    {
        Assert.Equal(0, _outer.Wait(_events, 0));
        long start = MonotonicClock.NowNanoseconds;
        _timer.Set(20_000_000);
        Assert.Equal(1, _outer.Wait(_events, -1));
        Assert.True(MonotonicClock.NowNanoseconds - start >= 20_000_000);
        Assert.Equal((nint)2, _events[0].Token);
        Assert.Equal(1, _loop.Wait(_events, 0));
        Assert.Equal(1, _outer.Wait(_events, 0));
        _timer.Set(3_600_000_000_000);
        Assert.Equal(0, _outer.Wait(_events, 0));
        _timer.Set(1);
        Assert.Equal(1, _outer.Wait(_events, -1));
        _timer.Stop();
        Assert.Equal(0, _outer.Wait(_events, 0));
    }

    [Fact]
    public void A_time_that_is_not_in_the_future_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _timer.Set(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => _timer.Set(-1));
    }
}
