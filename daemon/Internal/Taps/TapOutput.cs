namespace CuFrames.Daemon.Internal.Taps;

/// <summary>Where a client's bytes go: a socket, or the body of an answer. One task at a time.</summary>
internal sealed class TapOutput : IDisposable
{
    /// <summary>How long a client may take nothing.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>What is offered at once: who takes less than this in the time counts as one who takes nothing.</summary>
    private const int Portion = 64 << 10;

    private readonly Stream _stream;
    private readonly TimeSpan _patience;
    private readonly CancellationTokenSource _late = new();
    private readonly CancellationTokenSource _end;

    /// <summary>Makes it.</summary>
    /// <param name="stream">The socket or the body; it stays the caller's.</param>
    /// <param name="patience">How long a client may take none of the bytes that wait for it.</param>
    /// <param name="gone">Says that the client is gone, or has to be.</param>
    internal TapOutput(Stream stream, TimeSpan patience, CancellationToken gone)
    {
        (_stream, _patience, Gone) = (stream, patience, gone);
        _end = CancellationTokenSource.CreateLinkedTokenSource(gone, _late.Token);
    }

    /// <summary>Says that the client is gone, or has to be.</summary>
    internal CancellationToken Gone { get; }

    /// <summary>Bytes that the client, or the kernel for it, has taken.</summary>
    internal long Bytes { get; private set; }

    /// <summary>Sends bytes. When it throws, the client may have got a part of them and must not get more.</summary>
    /// <exception cref="TapException">The client takes nothing.</exception>
    /// <exception cref="IOException">The client is gone.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Gone"/> says so.</exception>
    internal async ValueTask WriteAsync(ReadOnlyMemory<byte> data)
    {
        while (data.Length > 0)
        {
            ReadOnlyMemory<byte> portion = data[..Math.Min(Portion, data.Length)];
            _late.CancelAfter(_patience);
            try
            {
                await _stream.WriteAsync(portion, _end.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_late.IsCancellationRequested)
            {
                // Gone cannot be asked: Kestrel closes the connection of a write that is given up, and may say so before the write does.
                throw new TapException(TapException.Unavailable, $"the client has taken nothing for {_patience.TotalSeconds:0.##} s");
            }

            Bytes += portion.Length;
            data = data[portion.Length..];
        }

        _late.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _end.Dispose();
        _late.Dispose();
    }
}
