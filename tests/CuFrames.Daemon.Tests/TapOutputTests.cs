using CuFrames.Daemon.Internal.Taps;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>What is said of a client whose bytes are not taken: that it takes nothing, or that it is gone.</summary>
public sealed class TapOutputTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(50);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_takes_nothing_is_cut_for_that_even_if_the_connection_is_closed_first(bool closes)
    {
        using CancellationTokenSource gone = new();
        using BlockedStream stream = new(closes ? gone : null);
        using TapOutput output = new(stream, Short, gone.Token);
        TapException error = await Assert.ThrowsAsync<TapException>(() => output.WriteAsync(new byte[1]).AsTask().WaitAsync(DaemonProcess.Patience));
        Assert.Equal("the client has taken nothing for 0.05 s", error.Message);
        Assert.Equal(closes, gone.IsCancellationRequested);
    }

    [Fact]
    public async Task Who_goes_while_bytes_wait_has_gone()
    {
        using CancellationTokenSource gone = new();
        using BlockedStream stream = new(null);
        using TapOutput output = new(stream, DaemonProcess.Patience, gone.Token);
        Task write = output.WriteAsync(new byte[1]).AsTask();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write.WaitAsync(DaemonProcess.Patience));
    }

    /// <summary>Takes no byte. As Kestrel's body of an answer, it may close the connection before a write that is given up says so.</summary>
    private sealed class BlockedStream(CancellationTokenSource? connection) : MemoryStream
    {
        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            connection?.Cancel();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}
