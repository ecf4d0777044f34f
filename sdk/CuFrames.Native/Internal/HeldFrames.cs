using CuFrames.Client;
using CuFrames.Interop;

namespace CuFrames.Native.Internal;

/// <summary>
/// The frames that a program holds of one subscriber, by lease: a number that is given out once. Places are made when they are first needed and
/// used again: after that taking and releasing allocates nothing.
/// </summary>
/// <remarks>The taking thread adds places (release) and fills them; any thread finds them (acquire).</remarks>
internal sealed class HeldFrames(FrameStreams streams) : IDisposable
{
    /// <summary>Frames at most. A publisher grants 64 leases; frames of connections before are held beside them.</summary>
    public const int Capacity = 1 << IndexBits;

    private const int IndexBits = 8;

    private readonly HeldFrame?[] _places = new HeldFrame?[Capacity];

    /// <summary>Whether a frame can be put here. Taking thread.</summary>
    public bool HasRoom => FindFree() >= 0;

    /// <summary>Puts a frame here, with one owner. Taking thread, when there is room.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="context">The context that it lies in; null in main memory.</param>
    /// <returns>The lease; never 0.</returns>
    public ulong Put(Frame frame, CudaContext? context)
    {
        int index = FindFree();
        HeldFrame? place = _places[index];
        if (place is null)
        {
            Volatile.Write(ref _places[index], place = new HeldFrame(streams));
        }

        return (place.Put(frame, context) << IndexBits) | (uint)index;
    }

    /// <summary>The place of a lease; whether it is still this lease's, the place tells. Any thread.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="generation">What the place knows the lease by.</param>
    /// <returns>Null when there was never such a lease.</returns>
    public HeldFrame? Find(ulong lease, out ulong generation)
    {
        generation = lease >> IndexBits;
        return Volatile.Read(ref _places[(int)(lease & (Capacity - 1))]);
    }

    /// <summary>When nobody uses the subscriber any more.</summary>
    public void Dispose()
    {
        foreach (HeldFrame? place in _places)
        {
            place?.Dispose();
        }
    }

    private int FindFree()
    {
        for (int index = 0; index < Capacity; index++)
        {
            if (_places[index] is not { } place || place.IsFree)
            {
                return index;
            }
        }

        return -1;
    }
}
