using System.Numerics;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>
/// What a connection to a stream in device memory has beside the others: a context, and leases that the GPU ends (docs/protocol.md 7).
/// </summary>
/// <remarks>
/// A release that the GPU has still to carry out, in steps:
/// 1. <see cref="EnqueueRelease"/> (any thread) notes the slot in <c>_pending</c> and puts the release behind the work of the caller's stream.
///    Until it has, the slot's <see cref="FrameLease"/> says <see cref="FrameLease.Releasing"/>, and nobody leases the slot again.
/// 2. STREAM: the GPU writes zero into the lease word. EVENT: the word has its top bit set, and the event completes.
/// 3. <see cref="TryFinish"/> (the taking thread, or the control loop once the connection is closed) sees that and takes the slot out of
///    <c>_pending</c>; until then page and segment stay mapped, and the lease counts against what was granted.
/// Cost: one driver call and one locked instruction a release, one load a take.
/// </remarks>
internal sealed class CudaAttachment : IDisposable
{
    private readonly bool _ownsContext;
    private readonly CudaEvent?[] _events = new CudaEvent?[ControlBlockLayout.SlotCapacity];
    private readonly Lock _gate = new();
    private readonly CudaHostRegistration? _registration;
    private readonly UnixSocket _socket;
    private readonly SubscriberPage _page;

    // Slots whose release the GPU has still to carry out. Set by the releasing thread before the GPU can do it (STREAM) or after the word
    // says it (EVENT), cleared by whoever finishes it; every change is a locked instruction.
    private ulong _pending;

    /// <exception cref="CudaException">The context cannot be opened.</exception>
    public CudaAttachment(CudaDevice device, CudaContext? context, UnixSocket socket, SubscriberPage page, Fence granted)
    {
        _socket = socket;
        _page = page;
        _ownsContext = context is null;
        Context = context ?? device.OpenContext();
        try
        {
            Stream = CudaStream.Create(Context);
            if ((granted & Fence.Stream) != 0)
            {
                _registration = Register(page, out string obstacle);
                FenceReason = obstacle;
            }

            ReleaseFence = _registration is not null ? Fence.Stream : (granted & Fence.Event) != 0 ? Fence.Event : Fence.Cpu;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public CudaContext Context { get; }

    /// <summary>For copies that the SDK makes itself. It waits for no other work.</summary>
    public CudaStream? Stream { get; }

    /// <summary>How a release behind a stream's work is done.</summary>
    public Fence ReleaseFence { get; }

    /// <summary>Why it is not STREAM, if the driver stood in the way.</summary>
    public string FenceReason { get; } = "";

    public bool HasPending => Volatile.Read(ref _pending) != 0;

    public bool IsPending(int slot) => (Volatile.Read(ref _pending) & (1UL << slot)) != 0;

    /// <summary>Ends a lease behind the work of a stream. Any thread.</summary>
    /// <exception cref="CudaException">The driver refused; the lease is as it was.</exception>
    public void EnqueueRelease(int slot, ulong sequence, CudaStream stream)
    {
        ulong bit = 1UL << slot;
        if (ReleaseFence == Fence.Stream)
        {
            Interlocked.Or(ref _pending, bit);
            try
            {
                stream.WriteValue64(_registration!.DeviceAddress + (ulong)SubscriberPageLayout.LeaseOffset(slot), 0);
            }
            catch
            {
                Interlocked.And(ref _pending, ~bit);
                throw;
            }
        }
        else
        {
            stream.Record(EventOf(slot));
            _page.SetEventPending(slot, sequence);
            Interlocked.Or(ref _pending, bit);
        }
    }

    /// <summary>Takes a slot that the GPU is done with out of the pending ones.</summary>
    /// <returns>The slot, or -1 when there is none.</returns>
    /// <exception cref="CudaException">The context is broken: the GPU will not carry any release out any more.</exception>
    public int TryFinish()
    {
        for (ulong slots = Volatile.Read(ref _pending); slots != 0; slots &= slots - 1)
        {
            int slot = BitOperations.TrailingZeroCount(slots);
            if (ReleaseFence == Fence.Event)
            {
                if (!_events[slot]!.IsComplete)
                {
                    continue;
                }

                _page.Release(slot);
            }
            else if (_page.LeaseOf(slot) != 0)
            {
                continue;
            }

            Interlocked.And(ref _pending, ~(1UL << slot));
            return slot;
        }

        return -1;
    }

    /// <summary>Gives every pending release up. Only when the context is broken: then no work of it reads the frames any more.</summary>
    /// <returns>A slot that was pending, or -1 when there is none left.</returns>
    public int Abandon()
    {
        ulong slots = Volatile.Read(ref _pending);
        if (slots == 0)
        {
            return -1;
        }

        int slot = BitOperations.TrailingZeroCount(slots);
        Interlocked.And(ref _pending, ~(1UL << slot));
        return slot;
    }

    /// <summary>A context that is broken answers every query with its error.</summary>
    /// <exception cref="CudaException">It is broken.</exception>
    public void ThrowIfBroken() => _ = Stream!.IsIdle;

    public void Dispose()
    {
        foreach (CudaEvent? each in _events)
        {
            each?.Dispose();
        }

        _registration?.Dispose();
        Stream?.Dispose();
        if (_ownsContext)
        {
            Context.Dispose();
        }
    }

    private unsafe CudaHostRegistration? Register(SubscriberPage page, out string obstacle)
    {
        try
        {
            obstacle = "";
            return CudaHostRegistration.Register(Context, (nint)page.Address, SubscriberPageLayout.FileSize);
        }
        catch (CudaException error) when (!error.IsSticky)
        {
            obstacle = error.Message;
            return null;
        }
    }

    /// <summary>The slot's event, made and sent to the publisher at its first use.</summary>
    private CudaEvent EventOf(int slot)
    {
        lock (_gate)
        {
            if (_events[slot] is { } known)
            {
                return known;
            }

            CudaEvent made = CudaEvent.Create(Context, interprocess: true);
            try
            {
                byte[] handle = new byte[Wire.CudaIpcHandleSize];
                made.CopyHandleTo(handle);
                Span<byte> buffer = stackalloc byte[128];

                // A publisher that does not read: it counts the frame as held until we are gone, which is its own choice.
                _ = _socket.TrySendSmall(new EventMessage(slot, handle).Write(buffer));
            }
            catch (ObjectDisposedException)
            {
                // The connection was closed before the frame was released: no publisher looks at the lease any more.
            }
            catch
            {
                made.Dispose();
                throw;
            }

            _events[slot] = made;
            return made;
        }
    }
}
