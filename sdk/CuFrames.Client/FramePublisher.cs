using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>
/// Publishes one stream: owns its key, its ring of frames and its socket. Any number of subscribers read the frames where they lie.
/// </summary>
/// <remarks>
/// <para>One thread at a time publishes: it calls <see cref="Configure"/>, <see cref="TryBeginFrame"/>, the frame's members,
/// <see cref="TryRest"/> and <see cref="Dispose"/>. <see cref="SetState"/>, <see cref="Evict"/>, <see cref="GetStatistics"/>, <see cref="SubscriberCount"/> and <see cref="Close"/> may be called by any thread.</para>
/// <para>No subscriber can stop or slow the publishing thread, with one exception that the publisher chooses: with
/// <see cref="PublisherOptions.LosslessTimeout"/> it waits for lossless subscribers up to that bound.</para>
/// <para>A frame costs no allocation, no lock and, unless a reader has to be woken, no system call.</para>
/// </remarks>
public sealed class FramePublisher : IDisposable
{
    private readonly PublisherOptions _options;
    private readonly PublisherServer _server;
    private readonly SlotRing _ring;
    private readonly SubscriberTable _table;
    private readonly SubscriberWaker _waker;
    private readonly ControlBlock _block;
    private readonly List<Segment> _extraSegments = [];
    private FrameMetadata _openMetadata;
    private FrameMetadata _emptyMetadata;
    private Picture _layout;
    private long _slotSize;
    private int _openSlot = -1;
    private bool _isDisposed;

    // Written by the publishing thread, read by statistics.
    private ulong _dropped;

    private FramePublisher(string key, PublisherOptions options)
    {
        _options = options;
        _server = new PublisherServer(key, options);
        _table = _server.Table;
        _block = _server.Block;
        _ring = new SlotRing(_block, _table);
        unsafe
        {
            _waker = new SubscriberWaker(_table, _block.FutexWord);
        }
    }

    /// <summary>The stream's key.</summary>
    public string Key => _server.Key;

    /// <summary>Random id of this run, never zero. Readers see from it that a publisher was started anew.</summary>
    public ulong Epoch => _server.Epoch;

    /// <summary>The socket that subscribers connect to.</summary>
    public string SocketPath => _server.SocketPath;

    /// <summary>The format of new frames; null before the first <see cref="Configure"/>.</summary>
    public StreamFormat? Format => _server.Format;

    /// <summary>Sequence of the newest frame; 0 before the first.</summary>
    public ulong Head => _ring.Head;

    /// <summary>Where frames lie.</summary>
    public MemoryDomain Memory => _server.Domain;

    /// <summary>The context of the device that frames lie on; null in main memory. The publisher's own unless the options named one.</summary>
    public CudaContext? Cuda => _server.Cuda;

    /// <summary>
    /// Subscribers that are connected now; who only asks for the stream's description is none. Any thread; costs a look at one word, so frames that
    /// nobody would read need not be made.
    /// </summary>
    public int SubscriberCount => _table.Active.Length;

    internal ref FrameMetadata OpenMetadata => ref _openMetadata;

    /// <summary>Whether a frame has begun and not ended. Publishing thread.</summary>
    internal bool HasOpenFrame => _openSlot >= 0;

    /// <summary>The frame that has begun, for those who cannot keep a <see cref="FrameWriter"/> from one call to the next. Publishing thread.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    internal FrameWriter OpenFrame => HasOpenFrame
        ? new FrameWriter(this, _openSlot)
        : throw new InvalidOperationException("There is no open frame: begin one first.");

    /// <summary>The limit of device memory that this stream counts in; null: none.</summary>
    internal MemoryBudget? Budget => _options.Budget;

    /// <summary>
    /// Why the ring's newest memory is not pinned although <see cref="PinFor"/> asked for it; null if it is. The copies are right, but they cost
    /// the CPU time. Publishing thread.
    /// </summary>
    internal string? PinningFault => _server.PinningFault;

    /// <summary>Publish time of the frame that was published last. Publishing thread.</summary>
    internal long LastPublishTime => _openMetadata.PublishTime;

    /// <summary>Takes the key and listens. Subscribers can connect from now on; frames can be published after <see cref="Configure"/>.</summary>
    /// <param name="key">The stream's key (docs/protocol.md 1.1).</param>
    /// <param name="options">How to publish; null: the defaults.</param>
    /// <exception cref="StreamUnavailableException">ALREADY_PUBLISHED, or the runtime directory is missing or not writable.</exception>
    /// <exception cref="CuFramesException">INVALID_KEY or CONFIGURATION_INVALID.</exception>
    /// <exception cref="CudaException">CUDA_UNAVAILABLE, or the driver refused a context.</exception>
    /// <exception cref="LinuxException">The kernel refused memory or a socket.</exception>
    public static FramePublisher Create(string key, PublisherOptions? options = null)
    {
        options ??= new PublisherOptions();
        options.Validate();
        return new FramePublisher(StreamKey.Require(key), options);
    }

    /// <summary>Takes the key, listens, and sets the first format.</summary>
    /// <param name="key">The stream's key (docs/protocol.md 1.1).</param>
    /// <param name="format">The format of the frames.</param>
    /// <param name="options">How to publish; null: the defaults.</param>
    /// <inheritdoc cref="Create(string, PublisherOptions)" path="/exception"/>
    public static FramePublisher Create(string key, StreamFormat format, PublisherOptions? options = null)
    {
        FramePublisher publisher = Create(key, options);
        try
        {
            publisher.Configure(format);
            return publisher;
        }
        catch
        {
            publisher.Dispose();
            throw;
        }
    }

    /// <summary>Sets the format of the frames to come: first, or in mid-stream. Frames of the old format stay readable until they are the oldest.</summary>
    /// <param name="format">The format.</param>
    /// <exception cref="CuFramesException">FORMAT_UNSUPPORTED; OUT_OF_RESOURCES: the memory limit stands in the way. The old format stays.</exception>
    /// <exception cref="LinuxException">There is no memory. The old format stays.</exception>
    public void Configure(StreamFormat format)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        RequireNoOpenFrame();
        if (_server.Format == format)
        {
            return;
        }

        Picture layout = Picture.Create(format.PixelFormat, format.Width, format.Height, out long slotSize);
        bool hasSameLayout = _server.Format is { } old &&
            (old.PixelFormat, old.Width, old.Height) == (format.PixelFormat, format.Width, format.Height);
        if (hasSameLayout)
        {
            _server.SetFormat(format, _server.Generation);
        }
        else
        {
            // The old format stays until the new ring is there.
            Segment segment = MakeRing(format, slotSize);
            _server.SetFormat(format, segment.Description.Generation);
            _ring.DrainAll();
            _extraSegments.Clear();
            _layout = layout;
            _slotSize = slotSize;
            _ring.AddSlots(segment, layout, slotSize);
            _server.Slots = _ring.WritableCount;
        }

        _emptyMetadata = new FrameMetadata
        {
            Pts = FrameMetadata.UnknownPts,
            ColourMatrix = format.ColourMatrix,
            ColourRange = format.ColourRange,
            ColourPrimaries = format.ColourPrimaries,
            ColourTransfer = format.ColourTransfer,
        };
    }

    /// <summary>
    /// Gives all memory of the frames back while nobody reads: host memory and the device's. Key, socket and epoch stay, and who joins from now on
    /// begins with the next frame that is published, not with one of long ago. The next <see cref="TryBeginFrame"/> makes the ring anew.
    /// </summary>
    /// <returns>False when somebody reads, or after <see cref="Close"/>: then nothing has changed.</returns>
    /// <remarks>A subscriber joins either before this, and it does nothing, or after it. Costs a lock; system calls only when there is memory to give back.</remarks>
    /// <exception cref="InvalidOperationException">A frame has begun and not ended.</exception>
    public bool TryRest()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        RequireNoOpenFrame();
        if (!_server.TryRest(_ring))
        {
            return false;
        }

        _extraSegments.Clear();
        return true;
    }

    /// <summary>Begins a frame: finds a slot that nobody holds. Grows the ring when all are held, up to its limit.</summary>
    /// <param name="frame">The frame, to be written and published, or disposed.</param>
    /// <returns>False when every slot is held and the ring cannot grow: this frame is dropped and counted. Also false after <see cref="Close"/>.</returns>
    /// <exception cref="InvalidOperationException">No format is set, or the frame before has not ended.</exception>
    /// <exception cref="CuFramesException">Only after <see cref="TryRest"/>: OUT_OF_RESOURCES, or the device has no memory.</exception>
    /// <exception cref="LinuxException">Only after <see cref="TryRest"/>: there is no memory.</exception>
    public bool TryBeginFrame(out FrameWriter frame)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        RequireNoOpenFrame();
        if (_slotSize == 0)
        {
            throw new InvalidOperationException("A publisher needs a format before its first frame: call Configure.");
        }

        if (_server.IsClosed)
        {
            // Readers that were told of the end may still read what is in the ring, and their leases are not looked at any more.
            frame = default;
            return false;
        }

        if (_ring.WritableCount == 0)
        {
            // Back from rest.
            _ring.AddSlots(_server.AddSegment(_slotSize, Math.Min(_options.Slots, _ring.FreeEntries), _server.Generation), _layout, _slotSize);
            _server.Slots = _ring.WritableCount;
        }

        if (_server.ShrinkIsDue)
        {
            Shrink();
        }

        int slot = _ring.Pick();
        if (slot < 0)
        {
            slot = PickWhenStarved();
        }

        if (slot < 0)
        {
            _block.Dropped = ++_dropped;
            frame = default;
            return false;
        }

        _openSlot = slot;
        _openMetadata = _emptyMetadata;
        frame = new FrameWriter(this, slot);
        return true;
    }

    /// <summary>Tells readers what the source does. A published frame makes the state LIVE by itself.</summary>
    /// <param name="state">The state.</param>
    /// <param name="reason">Why, for people, without secrets.</param>
    public void SetState(StreamState state, string reason = "") => _server.SetState(state, reason);

    /// <summary>Evicts a subscriber.</summary>
    /// <param name="subscriberId">Its number, from the statistics.</param>
    /// <param name="reason">What it is told.</param>
    /// <returns>False when there is no such subscriber.</returns>
    public bool Evict(ulong subscriberId, string reason) => _server.Evict(subscriberId, reason);

    /// <summary>Frames dropped because every slot was held. From any thread, without waiting.</summary>
    public ulong Dropped => Volatile.Read(ref _dropped);

    /// <summary>Figures as they are now.</summary>
    public PublisherStatistics GetStatistics() => _server.GetStatistics(Volatile.Read(ref _dropped));

    /// <summary>
    /// Ends the stream for everybody else, from any thread and at once, whatever the publishing thread is doing: readers are told, the key
    /// is free again. <see cref="TryBeginFrame"/> gives no frame any more; the memory stays until <see cref="Dispose"/>.
    /// </summary>
    public void Close() => _server.Close();

    /// <summary>Ends the stream: readers are told, the key is free again. Frames that readers hold stay readable for them.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            if (_openSlot >= 0)
            {
                AbandonOpen(_openSlot);
            }

            _server.Dispose();
        }
    }

    /// <summary>
    /// Tells, before the first <see cref="Configure"/>, that a device copies frames into this ring in main memory: its segments are pinned as they come and
    /// unpinned before they go. Publishing thread.
    /// </summary>
    internal void PinFor(CudaContext context) => _server.PinFor(context);

    internal ref readonly Picture PictureOf(int slot) => ref _ring.PictureOf(slot);

    internal Span<byte> PlaneOf(int slot, int plane, int length)
    {
        RequireOpen(slot);
        return _ring.SegmentOf(slot).Slice((long)_ring.PictureOf(slot).PlaneOffset[plane], length);
    }

    internal ulong DeviceAddressOf(int slot, int plane)
    {
        RequireOpen(slot);
        return Memory == MemoryDomain.Cuda
            ? _ring.SegmentOf(slot).AddressOf((long)_ring.PictureOf(slot).PlaneOffset[plane])
            : throw new InvalidOperationException("This frame lies in main memory: use Plane or PlaneAddress.");
    }

    internal ulong PublishOpen(int slot)
    {
        RequireOpen(slot);
        _openSlot = -1;
        if (_block.State != StreamState.Live)
        {
            _server.SetState(StreamState.Live, "");
        }

        _openMetadata.PublishTime = MonotonicClock.NowNanoseconds;
        _ring.Publish(slot, _openMetadata);
        _waker.Wake();
        if (_ring.HasDraining)
        {
            TryDrainOne();
        }

        return _ring.Head;
    }

    /// <summary>Wakes readers that sleep on the futex, a moment before the open frame is announced (8.2). No system call when none sleeps.</summary>
    internal void WakeAhead(int slot)
    {
        RequireOpen(slot);
        _waker.WakeAhead();
    }

    internal void AbandonOpen(int slot)
    {
        if (_openSlot == slot)
        {
            _server.WaitForDevice();
            _openSlot = -1;
        }
    }

    private static bool Contains(SubscriberSession[] sessions, SubscriberSession session) => Array.IndexOf(sessions, session) >= 0;

    private void RequireNoOpenFrame()
    {
        if (_openSlot >= 0)
        {
            throw new InvalidOperationException("The frame before has not ended: publish or dispose it first.");
        }
    }

    private void RequireOpen(int slot)
    {
        if (_openSlot != slot)
        {
            throw new InvalidOperationException("The frame has ended: it was published or disposed.");
        }
    }

    /// <summary>Makes the first segment of a new generation.</summary>
    private Segment MakeRing(StreamFormat format, long slotSize)
    {
        bool hasEvicted = false;
        while (true)
        {
            while (_ring.FreeEntries < _options.Slots && _ring.HasDraining && TryDrainOne())
            {
            }

            int slots = Math.Min(_options.Slots, _ring.FreeEntries);
            try
            {
                return slots >= 2
                    ? _server.AddSegment(slotSize, slots, _server.Generation + 1)
                    : throw new CuFramesException(ErrorCode.OutOfResources,
                        $"Stream '{Key}' cannot change to {format}: readers hold {ControlBlockLayout.SlotCapacity - _ring.FreeEntries} frames of earlier formats. " +
                        "They are evicted after the lease time-out; try again then.");
            }
            catch (CuFramesException error) when (error.Code == ErrorCode.OutOfResources && !hasEvicted)
            {
                // Old frames that are held stand in the way like frames that starve the ring (6.9).
                hasEvicted = true;
                if (!EvictHolders())
                {
                    throw;
                }

                while (_ring.HasDraining && TryDrainOne())
                {
                }
            }
        }
    }

    /// <summary>Every slot is held: wait for lossless readers, or grow, or look for wrongdoers, or drop.</summary>
    private int PickWhenStarved()
    {
        _server.NeededAt = MonotonicClock.NowNanoseconds;
        if (_server.AuditNow())
        {
            int slot = _ring.Pick();
            if (slot >= 0)
            {
                return slot;
            }
        }

        // Wrongdoers are gone: the ring grows for those who hold what they were granted, and never because a lossless reader lags.
        if (!_ring.MetCursor && TryGrow())
        {
            return _ring.Pick();
        }

        if (_options.LosslessTimeout > TimeSpan.Zero && Array.Exists(_table.Active, session => session.IsLossless))
        {
            return WaitForLossless();
        }

        return EvictHolders() ? _ring.Pick() : -1;
    }

    private bool TryGrow()
    {
        int room = Math.Min(_options.MaxSlots - _ring.WritableCount, _ring.FreeEntries);
        int slots = Math.Min(room, Math.Max(2, _options.Slots / 2));
        if (slots < 1)
        {
            return false;
        }

        try
        {
            Segment segment = _server.AddSegment(_slotSize, slots, _server.Generation);
            _ring.AddSlots(segment, _layout, _slotSize);
            _extraSegments.Add(segment);
            _server.Slots = _ring.WritableCount;
            _server.ReportGrowth(PublisherEventKind.RingGrown, ErrorCode.None, $"The ring of '{Key}' grew to {_ring.WritableCount} slots, because readers hold the others.");
            return true;
        }
        catch (Exception error) when (error is LinuxException or CuFramesException)
        {
            _server.ReportGrowth(PublisherEventKind.GrowthFailed, ErrorCode.OutOfResources, $"The ring of '{Key}' cannot grow: {error.Message}");
            return false;
        }
    }

    private void Shrink()
    {
        _server.ShrinkIsDue = false;
        _server.NeededAt = MonotonicClock.NowNanoseconds;
        foreach (Segment segment in _extraSegments)
        {
            _ring.Drain(segment);
        }

        if (_extraSegments.Count > 0)
        {
            _extraSegments.Clear();
            _server.Slots = _ring.WritableCount;
            _server.ReportGrowth(PublisherEventKind.RingShrunk, ErrorCode.None, $"The ring of '{Key}' shrinks to {_ring.WritableCount} slots.");
        }
    }

    private bool TryDrainOne()
    {
        int before = _ring.FreeEntries;
        if (_ring.DrainOne() is { } empty)
        {
            _server.RetireSegment(empty);
        }

        return _ring.FreeEntries != before;
    }

    private unsafe int WaitForLossless()
    {
        // A GPU that ends a lease rings no bell; half a millisecond is below any frame's duration.
        const long sliceNanoseconds = 20_000_000;
        const long gpuSliceNanoseconds = 500_000;
        long deadline = MonotonicClock.NowNanoseconds + (_options.LosslessTimeout.Ticks * 100);
        while (true)
        {
            if (_ring.Blocker is not { } blocker)
            {
                return -1;
            }

            uint progress = 0;
            _table.Enter();
            if (Contains(_table.Active, blocker))
            {
                progress = blocker.Page.Progress;
                blocker.Page.PublisherWaiting = 1;
            }

            _table.Exit();

            // The fence of 6.8 stands in Pick's Enter: our word is out before the subscriber's words are read.
            int slot = _ring.Pick();
            long remaining = deadline - MonotonicClock.NowNanoseconds;
            _table.Enter();
            if (Contains(_table.Active, blocker))
            {
                if (slot < 0 && remaining > 0 && blocker.IsLossless && ReferenceEquals(blocker, _ring.Blocker))
                {
                    long slice = blocker.Fences == Fence.Cpu ? sliceNanoseconds : gpuSliceNanoseconds;
                    Futex.Wait(blocker.Page.ProgressWord, progress, Math.Min(remaining, slice));
                }
                else if (slot < 0 && remaining > 0 && !blocker.IsLossless)
                {
                    // A reader that is not lossless rings no bell when it releases; a millisecond is below any frame's duration.
                    Thread.Sleep(1);
                }

                blocker.Page.PublisherWaiting = 0;
            }

            _table.Exit();
            if (slot >= 0)
            {
                return slot;
            }

            // Who holds frames without being lossless is no better off than where frames are dropped.
            if (!blocker.IsLossless && EvictHolders())
            {
                continue;
            }

            if (remaining <= 0)
            {
                if (_ring.Blocker is not { IsLossless: true } late)
                {
                    return -1;
                }

                _server.Evict(late, ErrorCode.LosslessTimeout,
                    $"The publisher waited {_options.LosslessTimeout.TotalSeconds} s for this subscriber to take or release frames. Read faster, or ask for in-order delivery.");
            }
        }
    }

    /// <summary>Evicts who has held a frame for longer than the lease time-out while we starve (6.9).</summary>
    private bool EvictHolders()
    {
        long now = MonotonicClock.NowNanoseconds;
        long timeout = _options.LeaseTimeout.Ticks * 100;
        bool hasEvicted = false;
        foreach (SubscriberSession session in _table.Active)
        {
            bool isOverdue = false;
            _table.Enter();
            if (Contains(_table.Active, session))
            {
                for (int slot = 0; slot < ControlBlockLayout.SlotCapacity; slot++)
                {
                    // What is in the way is the slot's frame, whatever the word says: a hostile subscriber changes it at every look.
                    ulong blocked = session.Holds(slot) ? _block.SlotState(slot) : 0;
                    if (blocked != session.BlockedFrame[slot])
                    {
                        session.BlockedFrame[slot] = blocked;
                        session.BlockedSince[slot] = now;
                    }
                    else if (blocked != 0 && now - session.BlockedSince[slot] > timeout)
                    {
                        isOverdue = true;
                    }
                }
            }

            _table.Exit();
            if (isOverdue)
            {
                hasEvicted = true;
                _server.Evict(session, ErrorCode.LeaseTimeout,
                    $"A frame was held for more than {_options.LeaseTimeout.TotalSeconds} s while new frames were dropped for want of slots. Release frames sooner.");
            }
        }

        return hasEvicted;
    }
}
