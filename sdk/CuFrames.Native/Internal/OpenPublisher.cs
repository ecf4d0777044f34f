using System.Runtime.CompilerServices;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>What a publisher's handle stands for: the publisher, and which frame of the caller's is the open one.</summary>
/// <remarks>
/// Calls of the publishing thread hold <c>_publishing</c>, by which a second thread is refused instead of breaking the first one's frame. Calls of any
/// thread hold <c>_gate</c>; closing holds both, so that nobody is inside when the memory goes.
/// </remarks>
internal sealed unsafe class OpenPublisher : IDisposable
{
    private readonly FramePublisher _publisher;
    private readonly CudaContext? _context;
    private readonly FrameStreams _streams = new();
    private readonly Lock _gate = new();

    // Under the gate.
    private NativeFormat _format;
    private bool _isClosed;

    // 1 while a thread is in a publishing call. Taken by exchange, given back with release.
    private int _publishing;

    // Which begin the open frame came from, from 1. Publishing thread.
    private ulong _lease;

    private OpenPublisher(FramePublisher publisher, CudaContext? context)
    {
        _publisher = publisher;
        _context = context;
    }

    /// <summary>Takes a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="options">Options of the caller's.</param>
    /// <param name="format">The first format; null: none yet.</param>
    public static OpenPublisher Open(string key, in NativePublisherOptions options, NativeFormat? format)
    {
        StreamFormat? first = format is { } given ? NativeConversions.FormatOf(given) : null;
        EventCallback callback = new(options.OnEvent, options.EventUser);
        ulong[] epoch = [0];
        CudaContext? context = null;
        FramePublisher? publisher = null;
        try
        {
            PublisherOptions settings = PublisherSettings.Read(options, happened => PublisherEvents.Tell(key, callback, Volatile.Read(ref epoch[0]), happened), out context);
            publisher = FramePublisher.Create(key, settings);
            Volatile.Write(ref epoch[0], publisher.Epoch);
            OpenPublisher made = new(publisher, context);
            if (first is { } begin)
            {
                made.Configure(begin);
            }

            return made;
        }
        catch
        {
            publisher?.Dispose();
            context?.Dispose();
            throw;
        }
    }

    /// <summary>Ends the stream. The handle is not known to anybody any more.</summary>
    public void Dispose()
    {
        // From now on no frame begins; a thread that is inside a publishing call comes out of it.
        _publisher.Close();
        SpinWait wait = default;
        while (Interlocked.CompareExchange(ref _publishing, 1, 0) != 0)
        {
            wait.SpinOnce();
        }

        lock (_gate)
        {
            _isClosed = true;
            _publisher.Dispose();
            _streams.Dispose();
            _context?.Dispose();
        }
    }

    public int Configure(in NativeFormat format)
    {
        StreamFormat wanted = NativeConversions.FormatOf(format);
        if (!TryEnter(out int refusal))
        {
            return refusal;
        }

        try
        {
            if (_publisher.HasOpenFrame)
            {
                return FrameIsOpen("change the format");
            }

            Configure(wanted);
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    public int Begin(nuint handle, NativeFrame* frame)
    {
        if (!IsFrame(frame, out int refusal) || !TryEnter(out refusal))
        {
            return refusal;
        }

        try
        {
            if (_publisher.HasOpenFrame)
            {
                return FrameIsOpen("begin another frame");
            }

            if (_format.PixelFormat == 0)
            {
                return Failure.Because(LibraryError.WrongState,
                    "A frame cannot begin: the publisher has no format yet. Give one to cuframes_publisher_open, or call cuframes_publisher_configure."u8);
            }

            if (!_publisher.TryBeginFrame(out FrameWriter writer))
            {
                return Failure.Because(LibraryError.Dropped,
                    "This frame is dropped: readers hold every slot, and the ring is as large as it may be. Go on with the next one; more slots, or readers that release sooner, help."u8);
            }

            Describe(handle, ++_lease, writer, frame);
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    public int Publish(nuint handle, NativeFrame* frame, ulong* sequence)
    {
        if (!IsFrame(frame, out int refusal) || !TryEnter(out refusal))
        {
            return refusal;
        }

        try
        {
            if (!IsOpen(handle, frame, out refusal))
            {
                return refusal;
            }

            FrameWriter writer = _publisher.OpenFrame;
            writer.Metadata = frame->Metadata;
            Announced(frame, writer.Publish(), sequence);
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    public int Publish(nuint handle, NativeFrame* frame, nint stream, ulong* sequence)
    {
        if (!IsFrame(frame, out int refusal) || !TryEnter(out refusal))
        {
            return refusal;
        }

        try
        {
            if (!IsOpen(handle, frame, out refusal))
            {
                return refusal;
            }

            if (_publisher.Cuda is not { } context)
            {
                return Failure.Because(LibraryError.WrongState,
                    "The frame lies in main memory, and its publisher knows no CUDA context to wait in. Wait for the stream yourself, then call cuframes_publisher_publish."u8);
            }

            CudaStream work = _streams.Find(context, stream);
            FrameWriter writer = _publisher.OpenFrame;
            writer.Metadata = frame->Metadata;
            Announced(frame, writer.Publish(work), sequence);
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    public int Abandon(nuint handle, NativeFrame* frame)
    {
        if (!IsFrame(frame, out int refusal) || !TryEnter(out refusal))
        {
            return refusal;
        }

        try
        {
            if (!IsOpen(handle, frame, out refusal))
            {
                return refusal;
            }

            _publisher.OpenFrame.Dispose();
            frame->Lease = 0;
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    public void SetState(StreamState state, string reason)
    {
        lock (_gate)
        {
            ThrowIfClosed();
            _publisher.SetState(state, reason);
        }
    }

    /// <returns>False when there is no such subscriber.</returns>
    public bool Evict(ulong subscriberId, string reason)
    {
        lock (_gate)
        {
            ThrowIfClosed();
            return _publisher.Evict(subscriberId, reason);
        }
    }

    public NativePublisherInfo GetInfo()
    {
        lock (_gate)
        {
            ThrowIfClosed();
            PublisherStatistics statistics = _publisher.GetStatistics();
            NativePublisherInfo info = new()
            {
                State = (uint)statistics.State,
                Epoch = _publisher.Epoch,
                Head = statistics.Published,
                Published = statistics.Published,
                Dropped = statistics.Dropped,
                Evicted = statistics.Evicted,
                HungUp = statistics.HungUp,
                Refused = statistics.Refused,
                Slots = (uint)statistics.Slots,
                HeldSlots = (uint)statistics.HeldSlots,
                SegmentBytes = statistics.SegmentBytes,
                UnansweredBytes = statistics.UnansweredBytes,
                Subscribers = (uint)statistics.Subscribers.Count,
                CudaDevice = _publisher.Cuda?.Device.Ordinal ?? -1,
                CudaContext = _publisher.Cuda?.Handle ?? 0,
                Format = _format,
            };
            info.Format.Size = (uint)sizeof(NativeFormat);
            NativeText.Copy(_publisher.SocketPath, info.SocketPath, NativePublisherInfo.TextBytes);
            return info;
        }
    }

    public IReadOnlyList<SubscriberStatistics> GetSubscribers()
    {
        lock (_gate)
        {
            ThrowIfClosed();
            return _publisher.GetStatistics().Subscribers;
        }
    }

    private static bool IsFrame(NativeFrame* frame, out int refusal)
    {
        if (frame == null)
        {
            refusal = Failure.Because(LibraryError.InvalidArgument, "frame is null."u8);
            return false;
        }

        if (frame->Size < sizeof(NativeFrame))
        {
            refusal = Failure.Because(LibraryError.InvalidArgument,
                $"The size of frame is {frame->Size} bytes; {sizeof(NativeFrame)} are needed. Initialise it with CUFRAMES_FRAME_INIT.");
            return false;
        }

        refusal = Failure.Ok;
        return true;
    }

    private static int FrameIsOpen(string attempt) => Failure.Because(LibraryError.WrongState,
        $"The publisher cannot {attempt} while a frame is open. Publish it or abandon it first.");

    private void Configure(in StreamFormat format)
    {
        _publisher.Configure(format);
        lock (_gate)
        {
            _format = NativeConversions.FormatOf(format);
        }
    }

    /// <summary>Begins a publishing call.</summary>
    private bool TryEnter(out int refusal)
    {
        bool isFirst = Interlocked.CompareExchange(ref _publishing, 1, 0) == 0;
        refusal = isFirst
            ? Failure.Ok
            : Failure.Because(LibraryError.Busy, "Another thread is in a publishing call of this publisher: one thread at a time publishes."u8);
        return isFirst;
    }

    private void Leave() => Volatile.Write(ref _publishing, 0);

    private bool IsOpen(nuint handle, NativeFrame* frame, out int refusal)
    {
        refusal = !_publisher.HasOpenFrame
            ? Failure.Because(LibraryError.WrongState,
                "The publisher has no open frame: this one was published or abandoned. Begin one with cuframes_publisher_begin."u8)
            : frame->Owner != handle || frame->Lease != _lease
                ? Failure.Because(LibraryError.InvalidHandle, "This is not the frame that is open: it was not filled in by the last cuframes_publisher_begin of this publisher."u8)
                : Failure.Ok;
        return refusal == Failure.Ok;
    }

    private void Describe(nuint handle, ulong lease, in FrameWriter writer, NativeFrame* frame)
    {
        NativeFrame open = default;
        open.Size = frame->Size;
        open.Owner = handle;
        open.Lease = lease;
        open.Epoch = _publisher.Epoch;
        open.PixelFormat = (uint)writer.PixelFormat;
        open.Width = (uint)writer.Width;
        open.Height = (uint)writer.Height;
        open.PlaneCount = (uint)writer.PlaneCount;

        // enum cuframes_memory has the wire's values.
        bool isHost = writer.Memory == MemoryDomain.Host;
        open.Memory = (uint)writer.Memory;
        open.CudaDevice = isHost ? -1 : _publisher.Cuda!.Device.Ordinal;
        for (int plane = 0; plane < writer.PlaneCount; plane++)
        {
            open.Planes[plane] = new NativePlane
            {
                Data = isHost ? (nuint)writer.PlaneAddress(plane) : (nuint)writer.DeviceAddress(plane),
                Pitch = writer.Pitch(plane),
                RowBytes = writer.RowBytes(plane),
                Rows = writer.Rows(plane),
            };
        }

        open.Metadata = writer.Metadata;
        Unsafe.WriteUnaligned(frame, open);
    }

    private void Announced(NativeFrame* frame, ulong number, ulong* sequence)
    {
        frame->Lease = 0;
        frame->Sequence = number;
        frame->Metadata.PublishTime = _publisher.LastPublishTime;
        if (sequence != null)
        {
            *sequence = number;
        }
    }

    private void ThrowIfClosed()
    {
        if (_isClosed)
        {
            throw new LibraryException(LibraryError.InvalidHandle, $"The publisher of '{_publisher.Key}' was closed.");
        }
    }
}
