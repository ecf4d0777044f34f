using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>The words of a subscriber's page (docs/protocol.md 5). Each word has one writer.</summary>
/// <remarks>
/// Lease words: the subscriber sets them with a full fence behind (<see cref="Lease"/>) and clears them with release; the publisher reads them
/// behind its own full fence. <c>cursor</c> is written after the lease word, so that a publisher that sees the cursor passed sees the lease too.
/// <c>publisher_waiting</c> and <c>progress</c> are a second such pair, for lossless delivery only.
/// </remarks>
internal readonly unsafe struct SubscriberPage(byte* address)
{
    private readonly byte* _address = address;

    public bool IsMapped => _address != null;

    public byte* Address => _address;

    public uint* ProgressWord => (uint*)(_address + SubscriberPageLayout.ProgressOffset);

    public ulong Magic => U64(SubscriberPageLayout.MagicOffset);

    public ulong SubscriberId => U64(SubscriberPageLayout.SubscriberIdOffset);

    public uint Waiting
    {
        get => Volatile.Read(ref U32(SubscriberPageLayout.WaitingOffset));
        set => Volatile.Write(ref U32(SubscriberPageLayout.WaitingOffset), value);
    }

    public uint Progress => Volatile.Read(ref U32(SubscriberPageLayout.ProgressOffset));

    public uint PublisherWaiting
    {
        get => Volatile.Read(ref U32(SubscriberPageLayout.PublisherWaitingOffset));
        set => Volatile.Write(ref U32(SubscriberPageLayout.PublisherWaitingOffset), value);
    }

    public ulong Cursor
    {
        get => Volatile.Read(ref U64(SubscriberPageLayout.CursorOffset));
        set => Volatile.Write(ref U64(SubscriberPageLayout.CursorOffset), value);
    }

    public ulong Taken
    {
        get => Volatile.Read(ref U64(SubscriberPageLayout.TakenOffset));
        set => Volatile.Write(ref U64(SubscriberPageLayout.TakenOffset), value);
    }

    public ulong Missed
    {
        get => Volatile.Read(ref U64(SubscriberPageLayout.MissedOffset));
        set => Volatile.Write(ref U64(SubscriberPageLayout.MissedOffset), value);
    }

    public ulong LeaseOf(int slot) => Volatile.Read(ref U64(SubscriberPageLayout.LeaseOffset(slot)));

    /// <summary>Step 4 of taking a frame (6.6): the exchange is a full fence on x86-64 and arm64.</summary>
    public void Lease(int slot, ulong sequence) => Interlocked.Exchange(ref U64(SubscriberPageLayout.LeaseOffset(slot)), sequence);

    public void Release(int slot) => Volatile.Write(ref U64(SubscriberPageLayout.LeaseOffset(slot)), 0);

    /// <summary>7.2: written with release, after the event was recorded.</summary>
    public void SetEventPending(int slot, ulong sequence) =>
        Volatile.Write(ref U64(SubscriberPageLayout.LeaseOffset(slot)), sequence | SubscriberPageLayout.EventPending);

    /// <summary>Frames may be released by any thread of the subscriber.</summary>
    public void CountRelease() => Interlocked.Increment(ref U64(SubscriberPageLayout.ReleasedOffset));

    /// <summary>Steps of 6.8: the increment is the fence between our word and the publisher's.</summary>
    /// <returns>Whether the publisher waits for this.</returns>
    public bool MakeProgress()
    {
        Interlocked.Increment(ref U32(SubscriberPageLayout.ProgressOffset));
        return PublisherWaiting != 0;
    }

    public void Initialise(ulong subscriberId)
    {
        U64(SubscriberPageLayout.MagicOffset) = Wire.SubscriberPageMagic;
        U64(SubscriberPageLayout.SubscriberIdOffset) = subscriberId;
    }

    private ref ulong U64(int offset) => ref *(ulong*)(_address + offset);

    private ref uint U32(int offset) => ref *(uint*)(_address + offset);
}
