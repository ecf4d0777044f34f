using Xunit;

namespace CuFrames.Media.Tests;

public sealed class DecoderAdmissionTests
{
    [Fact]
    public void No_more_sessions_than_the_limit_are_taken()
    {
        DecoderAdmission admission = new(2);
        Assert.True(admission.TryEnter(out _, out _));
        Assert.False(admission.IsFull);
        Assert.True(admission.TryEnter(out _, out _));
        Assert.True(admission.IsFull);
        Assert.False(admission.TryEnter(out int limit, out int inUse));
        Assert.Equal((2, 2, 2), (limit, inUse, admission.InUse));
        admission.Leave();
        Assert.True(admission.TryEnter(out _, out _));
    }

    [Fact]
    public void A_lower_limit_ends_no_session()
    {
        DecoderAdmission admission = new(2);
        Assert.True(admission.TryEnter(out _, out _));
        Assert.True(admission.TryEnter(out _, out _));
        admission.Limit = 1;
        Assert.Equal(2, admission.InUse);
        admission.Leave();
        Assert.False(admission.TryEnter(out _, out _));
        admission.Leave();
        Assert.True(admission.TryEnter(out _, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => admission.Limit = 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => new DecoderAdmission(0));
    }

    [Fact]
    public void Many_threads_never_pass_the_limit()
    {
        DecoderAdmission admission = new(3);
        int most = 0, taken = 0;
        Parallel.For(0, 8, _ =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                if (admission.TryEnter(out int _, out int _))
                {
                    int now = Interlocked.Increment(ref taken);
                    InterlockedMax(ref most, now);
                    Interlocked.Decrement(ref taken);
                    admission.Leave();
                }
            }
        });
        Assert.InRange(most, 1, 3);
        Assert.Equal(0, admission.InUse);

        static void InterlockedMax(ref int target, int value)
        {
            for (int seen = Volatile.Read(ref target); seen < value;)
            {
                int before = Interlocked.CompareExchange(ref target, value, seen);
                seen = before == seen ? value : before;
            }
        }
    }
}
