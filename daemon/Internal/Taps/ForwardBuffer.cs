namespace CuFrames.Daemon.Internal.Taps;

/// <summary>Collects what a muxer writes until it is sent. It cannot seek, as a connection cannot.</summary>
internal sealed class ForwardBuffer : Stream
{
    private readonly MemoryStream _bytes = new();

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <summary>Bytes that were not taken yet.</summary>
    public override long Length => _bytes.Length;

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Takes everything out.</summary>
    /// <returns>The bytes, good until the next write.</returns>
    public ReadOnlyMemory<byte> Take()
    {
        ReadOnlyMemory<byte> taken = _bytes.GetBuffer().AsMemory(0, (int)_bytes.Length);
        _bytes.SetLength(0);
        return taken;
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer) => _bytes.Write(buffer);

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => _bytes.Write(buffer, offset, count);

    /// <inheritdoc/>
    public override void Flush()
    {
        // Whoever takes the bytes decides when.
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _bytes.Dispose();
        base.Dispose(disposing);
    }
}
