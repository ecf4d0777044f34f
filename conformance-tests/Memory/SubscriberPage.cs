using CuFrames.Conformance.Spec;
using CuFrames.Interop;

namespace CuFrames.Conformance.Memory;

/// <summary>
/// A mapped subscriber's page (section 5), as either side sees it. Getters acquire, setters release; who needs a full fence
/// calls <see cref="Interlocked.MemoryBarrier"/>.
/// </summary>
internal sealed unsafe class SubscriberPage(MemoryMapping mapping) : IDisposable
{
    private readonly byte* _base = mapping.Pointer;

    public uint Waiting
    {
        get => Volatile.Read(ref *(uint*)(_base + Layout.SubscriberPage.Waiting));
        set => Volatile.Write(ref *(uint*)(_base + Layout.SubscriberPage.Waiting), value);
    }

    public uint Progress
    {
        get => Volatile.Read(ref *ProgressWord);
        set => Volatile.Write(ref *ProgressWord, value);
    }

    public uint* ProgressWord => (uint*)(_base + Layout.SubscriberPage.Progress);

    public uint PublisherWaiting
    {
        get => Volatile.Read(ref *(uint*)(_base + Layout.SubscriberPage.PublisherWaiting));
        set => Volatile.Write(ref *(uint*)(_base + Layout.SubscriberPage.PublisherWaiting), value);
    }

    public ulong Cursor
    {
        get => Read(Layout.SubscriberPage.Cursor);
        set => Write(Layout.SubscriberPage.Cursor, value);
    }

    public ulong Taken
    {
        get => Read(Layout.SubscriberPage.Taken);
        set => Write(Layout.SubscriberPage.Taken, value);
    }

    public ulong Missed
    {
        get => Read(Layout.SubscriberPage.Missed);
        set => Write(Layout.SubscriberPage.Missed, value);
    }

    public ulong Released
    {
        get => Read(Layout.SubscriberPage.Released);
        set => Write(Layout.SubscriberPage.Released, value);
    }

    public Span<byte> Bytes => new(_base, Layout.SubscriberPage.FileSize);

    public ulong GetLease(int slot) => Read(Layout.SubscriberPage.Leases + (8 * slot));

    public void SetLease(int slot, ulong value) => Write(Layout.SubscriberPage.Leases + (8 * slot), value);

    /// <summary>Slots whose lease word is not zero.</summary>
    public int CountLeases()
    {
        int count = 0;
        for (int slot = 0; slot < Layout.ControlBlock.SlotCount; slot++)
        {
            count += GetLease(slot) == 0 ? 0 : 1;
        }

        return count;
    }

    public void Dispose() => mapping.Dispose();

    private ulong Read(int offset) => Volatile.Read(ref *(ulong*)(_base + offset));

    private void Write(int offset, ulong value) => Volatile.Write(ref *(ulong*)(_base + offset), value);
}
