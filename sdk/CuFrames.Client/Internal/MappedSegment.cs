using CuFrames.Interop;

namespace CuFrames.Client.Internal;

/// <summary>A segment as a subscriber has it: mapped read-only, once.</summary>
internal sealed class MappedSegment(uint id, MemoryMapping mapping)
{
    // Incremented by the taking thread, decremented by whichever thread releases a frame; both are full fences.
    private int _held;

    public uint Id { get; } = id;

    public MemoryMapping Mapping { get; } = mapping;

    /// <summary>The publisher wants it back. Taking thread only.</summary>
    public bool IsRetiring { get; set; }

    public bool IsHeld => Volatile.Read(ref _held) != 0;

    public void Hold() => Interlocked.Increment(ref _held);

    public void Release() => Interlocked.Decrement(ref _held);
}
