namespace CuFrames.Client.Internal;

/// <summary>A segment as a subscriber has it: mapped once.</summary>
internal abstract class MappedSegment(uint id, long size)
{
    // Incremented by the taking thread, decremented by whichever thread releases a frame; both are full fences.
    private int _held;

    public uint Id { get; } = id;

    /// <summary>Bytes.</summary>
    public long Size { get; } = size;

    /// <summary>The publisher wants it back. Taking thread only.</summary>
    public bool IsRetiring { get; set; }

    public bool IsHeld => Volatile.Read(ref _held) != 0;

    public void Hold() => Interlocked.Increment(ref _held);

    public void Release() => Interlocked.Decrement(ref _held);

    public abstract void Unmap();
}
