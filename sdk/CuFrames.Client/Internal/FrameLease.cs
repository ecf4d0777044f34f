using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>A slot as a subscriber holds it. One object for each slot of a connection, made once: taking a frame allocates nothing.</summary>
/// <remarks>The taking thread fills it while <see cref="Sequence"/> is zero and then writes the sequence with release. Any thread may release:
/// the exchange of the sequence decides which one does.</remarks>
internal sealed class FrameLease(StreamConnection connection, int slot)
{
    /// <summary>Stands in <see cref="Sequence"/> while a thread hands the release over to the GPU: the slot is neither held nor free.</summary>
    public const ulong Releasing = ulong.MaxValue;

    private ulong _sequence;

    public StreamConnection Connection { get; } = connection;

    public int Slot { get; } = slot;

    public ulong Sequence => Volatile.Read(ref _sequence);

    public SlotDescriptor Descriptor;

    public ref readonly Picture Picture => ref Descriptor.Picture;

    public ulong Missed { get; private set; }

    public MappedSegment? Segment { get; private set; }

    public void Fill(ulong sequence, in SlotDescriptor descriptor, MappedSegment segment, ulong missed)
    {
        Descriptor = descriptor;
        Segment = segment;
        Missed = missed;
        Volatile.Write(ref _sequence, sequence);
    }

    /// <summary>Ends the lease, once.</summary>
    /// <returns>False when it was not, or not any more, the lease of this sequence.</returns>
    public bool TryEnd(ulong sequence, out MappedSegment? segment)
    {
        segment = Segment;
        return Interlocked.CompareExchange(ref _sequence, 0, sequence) == sequence;
    }

    /// <summary>Begins to hand the release over to the GPU, once.</summary>
    /// <returns>False when it was not, or not any more, the lease of this sequence.</returns>
    public bool TryBeginRelease(ulong sequence) => Interlocked.CompareExchange(ref _sequence, Releasing, sequence) == sequence;

    /// <summary>Ends <see cref="TryBeginRelease"/>, by the thread that it gave true to, after the release was noted as pending.</summary>
    public void EndRelease() => Volatile.Write(ref _sequence, 0);

    /// <summary>Takes <see cref="TryBeginRelease"/> back, by the thread that it gave true to, when the release could not be carried out.</summary>
    public void Restore(ulong sequence) => Volatile.Write(ref _sequence, sequence);
}
