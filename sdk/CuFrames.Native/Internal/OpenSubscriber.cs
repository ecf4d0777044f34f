using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>What a subscriber's handle stands for: the subscriber, and the frames that the program holds of it.</summary>
/// <remarks>Any thread may release, retain, check and copy frames.</remarks>
[SuppressMessage("Design", "CA1001", Justification = "Frames that are held outlive Close: LeaveFrames disposes what is owned.")]
internal sealed unsafe class OpenSubscriber : OpenReader<Frame>
{
    /// <summary>All that are open, and those that were closed and of which frames are held.</summary>
    public static readonly HandleTable<OpenSubscriber> Table = new(HandleKind.Subscriber);

    // A frame's structure must reach as far as its lease.
    private const uint SmallestFrame = 24;

    private readonly FrameSubscriber _subscriber;
    private readonly CudaContext? _lentContext;
    private readonly FrameStreams _streams = new();
    private readonly HeldFrames _held;
    private nuint _handle;

    // Frames that are held, plus one until the close. Whoever brings it to zero gives everything back.
    private int _users = 1;

    private OpenSubscriber(FrameSubscriber subscriber, CudaContext? lentContext)
    {
        _subscriber = subscriber;
        _lentContext = lentContext;
        _held = new HeldFrames(_streams);
    }

    /// <summary>Connects.</summary>
    /// <param name="key">The stream's key.</param>
    /// <param name="options">Null: the defaults.</param>
    /// <returns>The handle.</returns>
    public static nuint Open(string key, NativeSubscriberOptions* options)
    {
        NativeSubscriberOptions given = options == null ? default : SizedStructure.Read(options, "cuframes_subscriber_options");
        CudaContext? lent = given.CudaContext == 0 ? null : CudaContext.Borrow(given.CudaContext);
        FrameSubscriber? subscriber = null;
        OpenSubscriber? open = null;
        try
        {
            // Nobody can interrupt what has no handle yet.
            subscriber = FrameSubscriber.Connect(key, OptionsOf(key, given, lent) with { IsInterrupted = () => open is not null && open.IsWaitOver });
            if (subscriber.ReleaseFenceReason.Length > 0)
            {
                LibraryLog.Write(LogLevel.Warning, key,
                    $"Frames are released by {subscriber.ReleaseFence} instead of by the stream itself: {subscriber.ReleaseFenceReason}");
            }

            open = new OpenSubscriber(subscriber, lent);
            nuint handle = Table.Add(open);
            open._handle = handle;
            return handle;
        }
        catch
        {
            subscriber?.Dispose();
            lent?.Dispose();
            throw;
        }
    }

    /// <summary>The subscriber of a handle.</summary>
    /// <exception cref="LibraryException">INVALID_HANDLE.</exception>
    public static OpenSubscriber Require(nuint handle) => Table.Find(handle) is { IsClosed: false } subscriber
        ? subscriber
        : throw new LibraryException(LibraryError.InvalidHandle, "This is no subscriber's handle, or the subscriber was closed.");

    /// <summary>The subscriber that a frame comes from; null when the frame cannot be held.</summary>
    /// <exception cref="LibraryException">INVALID_ARGUMENT.</exception>
    public static OpenSubscriber? Of(NativeFrame* frame)
    {
        RequireFrame(frame);
        return Table.Find((nuint)frame->Owner);
    }

    /// <summary>cuframes_subscriber_next.</summary>
    public int Next(long timeout, NativeFrame* frame)
    {
        RequireFrame(frame);
        return Take(timeout, frame);
    }

    /// <summary>cuframes_subscriber_descriptor.</summary>
    public int GetDescriptor(int* descriptor)
    {
        if (descriptor == null)
        {
            throw new LibraryException(LibraryError.InvalidArgument, "There is no place to put the descriptor: the pointer is null.");
        }

        if (!TryEnter(out int obstacle))
        {
            return obstacle;
        }

        try
        {
            *descriptor = _subscriber.PollDescriptor.Number;
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>cuframes_subscriber_get_info.</summary>
    public int GetInfo(NativeSubscriberInfo* info)
    {
        if (!TryEnter(out int obstacle))
        {
            return obstacle;
        }

        try
        {
            NativeSubscriberInfo filled = default;
            Fill(ref filled);
            SizedStructure.Write(info, filled, "cuframes_subscriber_info");
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>cuframes_frame_release.</summary>
    /// <returns>False when the frame is not held.</returns>
    public bool Release(ulong lease)
    {
        bool wasLast = false;
        bool wasHeld = _held.Find(lease, out ulong generation) is { } place && place.TryRelease(generation, out wasLast);
        if (wasLast)
        {
            LeaveFrames();
        }

        return wasHeld;
    }

    /// <summary>cuframes_frame_release_stream.</summary>
    /// <returns>False when the frame is not held.</returns>
    public bool Release(ulong lease, nint stream)
    {
        bool wasLast = false;
        bool wasHeld = _held.Find(lease, out ulong generation) is { } place && place.TryRelease(generation, stream, out wasLast);
        if (wasLast)
        {
            LeaveFrames();
        }

        return wasHeld;
    }

    /// <summary>cuframes_frame_retain.</summary>
    /// <returns>False when the frame is not held.</returns>
    public bool Retain(ulong lease) => _held.Find(lease, out ulong generation) is { } place && place.TryRetain(generation);

    /// <summary>cuframes_frame_check.</summary>
    /// <returns>False when the frame is not held.</returns>
    /// <exception cref="FrameLostException">It was evicted.</exception>
    public bool Check(ulong lease)
    {
        if (_held.Find(lease, out ulong generation) is not { } place)
        {
            return false;
        }

        Frame frame = place.Frame;
        bool isValid = frame.IsValid;
        if (!place.Holds(generation))
        {
            return false;
        }

        if (!isValid)
        {
            frame.ThrowIfInvalid();
        }

        return true;
    }

    /// <summary>cuframes_frame_copy. The copy is an owner of the frame while it lasts.</summary>
    /// <returns>False when the frame is not held.</returns>
    /// <exception cref="LibraryException">INVALID_ARGUMENT: there is too little room.</exception>
    public bool Copy(ulong lease, byte* destination, nuint size)
    {
        if (!Retain(lease))
        {
            return false;
        }

        try
        {
            Frame frame = _held.Find(lease, out _)!.Frame;
            long bytes = PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height);
            if (size < (ulong)bytes)
            {
                throw new LibraryException(LibraryError.InvalidArgument, $"The picture has {bytes} bytes and the destination {size}.");
            }

            _ = frame.CopyTo(new Span<byte>(destination, (int)bytes));
            return true;
        }
        finally
        {
            Release(lease);
        }
    }

    /// <summary>cuframes_frame_to_dlpack. The tensor is an owner of the frame until its deleter has been called.</summary>
    /// <returns>False when the frame is not held.</returns>
    /// <exception cref="LibraryException">INVALID_ARGUMENT: there is no such plane.</exception>
    /// <exception cref="FrameLostException">The frame was evicted.</exception>
    public bool MakeTensor(ulong lease, uint plane, bool isVersioned, nint stream, uint hasStream, nint* tensor)
    {
        if (!Retain(lease))
        {
            return false;
        }

        try
        {
            HeldFrame place = _held.Find(lease, out _)!;
            Frame frame = place.Frame;
            if (plane >= (uint)frame.PlaneCount)
            {
                throw new LibraryException(LibraryError.InvalidArgument, $"There is no plane {plane}: the frame has {frame.PlaneCount}, counted from 0.");
            }

            DlDevice device = place.Context is { } context
                ? new DlDevice { Type = DlDevice.Cuda, Id = context.Device.Ordinal }
                : new DlDevice { Type = DlDevice.Cpu };
            TensorOwner owner = new() { Subscriber = _handle, Lease = lease, Stream = stream, HasStream = hasStream };
            *tensor = FrameTensor.Make(PlaneOf(frame, (int)plane, place.Context), frame.PixelFormat, (int)plane, device, owner, isVersioned);
            return true;
        }
        catch
        {
            Release(lease);
            throw;
        }
    }

    private static void RequireFrame(NativeFrame* frame)
    {
        if (frame == null)
        {
            throw new LibraryException(LibraryError.InvalidArgument, "The frame is null.");
        }

        if (frame->Size < SmallestFrame)
        {
            throw new LibraryException(LibraryError.InvalidArgument,
                $"The size of cuframes_frame is {frame->Size} bytes. Initialise the structure with CUFRAMES_FRAME_INIT.");
        }
    }

    private static SubscriberOptions OptionsOf(string key, NativeSubscriberOptions given, CudaContext? context)
    {
        if (given.Delivery > (uint)Delivery.Lossless)
        {
            throw new LibraryException(LibraryError.InvalidArgument, $"There is no delivery {given.Delivery}: see enum cuframes_delivery.");
        }

        const Fence all = Fence.Cpu | Fence.Stream | Fence.Event;
        if ((given.Fences & ~(uint)all) != 0)
        {
            throw new LibraryException(LibraryError.InvalidArgument, $"There are no fences 0x{given.Fences:x}: see enum cuframes_fence.");
        }

        SubscriberOptions defaults = new();
        EventCallback callback = new(given.OnEvent, given.EventUser);
        return new SubscriberOptions
        {
            Directory = NativeText.Read(given.Directory),
            Delivery = given.Delivery == 0 ? defaults.Delivery : (Delivery)given.Delivery,
            Leases = given.Leases == 0 ? defaults.Leases : (int)Math.Min(given.Leases, int.MaxValue),
            Fences = given.Fences == 0 ? all : (Fence)given.Fences,
            Cuda = context,
            Reconnect = given.NoReconnect == 0,
            WaitForStream = given.WaitForStream != 0,
            Program = NativeText.Read(given.Program) ?? ProgramName.OfProcess,
            OnEvent = change => SubscriberEvents.Tell(key, callback, change),
        };
    }

    protected override int FindObstacle() => _held.HasRoom
        ? Failure.Ok
        : Failure.Because(ErrorCode.LeasesExhausted, "More frames are held than can be counted, of this connection and those before it. Release some."u8);

    protected override bool TryTake(out Frame taken) => _subscriber.TryTake(out taken);

    protected override bool TryPoll(out Frame taken) => _subscriber.TryPoll(out taken);

    protected override bool TryNext(TimeSpan timeout, out Frame taken) => _subscriber.TryNext(timeout, out taken);

    /// <summary>Fills in the caller's structure and keeps the frame for it.</summary>
    /// <returns>False when the frame was lost in the moment since it was taken.</returns>
    protected override bool TryGive(in Frame taken, void* place)
    {
        NativeFrame* frame = (NativeFrame*)place;
        uint size = frame->Size;
        CudaContext? context = _subscriber.Cuda;
        try
        {
            if (size >= (uint)sizeof(NativeFrame))
            {
                Fill(taken, context, ref *frame);
                frame->Lease = _held.Put(taken, context);
            }
            else
            {
                NativeFrame filled = default;
                Fill(taken, context, ref filled);
                filled.Lease = _held.Put(taken, context);
                SizedStructure.Write(frame, filled, "cuframes_frame");
            }

            Interlocked.Increment(ref _users);
            return true;
        }
        catch (FrameLostException)
        {
            // The publisher has evicted us: the next take finds that out.
            taken.Dispose();
            return false;
        }
        catch
        {
            taken.Dispose();
            throw;
        }
    }

    private void Fill(Frame taken, CudaContext? context, ref NativeFrame frame)
    {
        int planes = taken.PlaneCount;
        frame.Memory = (uint)(context is null ? MemoryDomain.Host : MemoryDomain.Cuda);
        frame.Owner = _handle;
        frame.Sequence = taken.Sequence;
        frame.Epoch = taken.Epoch;
        frame.Missed = taken.Missed;
        frame.PixelFormat = (uint)taken.PixelFormat;
        frame.Width = (uint)taken.Width;
        frame.Height = (uint)taken.Height;
        frame.PlaneCount = (uint)planes;
        frame.CudaDevice = context is null ? -1 : context.Device.Ordinal;
        frame.Reserved = 0;
        frame.Planes = default;
        for (int index = 0; index < planes; index++)
        {
            frame.Planes[index] = PlaneOf(taken, index, context);
        }

        frame.Metadata = taken.Metadata;
    }

    private static NativePlane PlaneOf(Frame frame, int index, CudaContext? context)
    {
        if (context is null)
        {
            FramePlane plane = frame.Plane(index);
            return new NativePlane
            {
                Data = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(plane.Data)),
                Pitch = plane.Pitch,
                RowBytes = plane.RowBytes,
                Rows = plane.Rows,
            };
        }

        DevicePlane place = frame.DevicePlane(index);
        return new NativePlane { Data = (nuint)place.Address, Pitch = place.Pitch, RowBytes = place.RowBytes, Rows = place.Rows };
    }

    private void Fill(ref NativeSubscriberInfo info)
    {
        CudaContext? context = _subscriber.Cuda;
        StreamDescription? description = _subscriber.Description;
        info.IsConnected = _subscriber.IsConnected ? 1u : 0;
        info.State = (uint)_subscriber.State;
        info.Memory = (uint)(description?.Domain ?? 0);
        info.Epoch = _subscriber.Epoch;
        info.GrantedLeases = (uint)_subscriber.GrantedLeases;
        info.HeldFrames = (uint)_subscriber.HeldFrames;
        info.Taken = _subscriber.Taken;
        info.Missed = _subscriber.Missed;
        info.Reconnects = (uint)_subscriber.Reconnects;
        info.Evictions = (uint)_subscriber.Evictions;
        info.ReleaseFence = (uint)_subscriber.ReleaseFence;
        info.CudaDevice = context?.Device.Ordinal ?? -1;
        info.CudaContext = context?.Handle ?? 0;
        info.Format.Size = (uint)sizeof(NativeFormat);
        fixed (NativeSubscriberInfo* pinned = &info)
        {
            if (description is not null)
            {
                NativeConversions.Write(description.Device, pinned->CudaDeviceUuid);
                info.Format = NativeConversions.FormatOf(description);
            }

            NativeText.Copy(_subscriber.Publisher, pinned->Publisher, NativeSubscriberInfo.TextBytes);
            NativeText.Copy(_subscriber.Source, pinned->Source, NativeSubscriberInfo.TextBytes);
            NativeText.Copy(_subscriber.ReleaseFenceReason, pinned->ReleaseFenceReason, NativeSubscriberInfo.TextBytes);
        }
    }

    /// <summary>Leaves the stream. Frames that are held keep the rest.</summary>
    protected override void Finish()
    {
        _subscriber.Dispose();
        LeaveFrames();
    }

    private void LeaveFrames()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            _ = Table.Remove(_handle);
            _held.Dispose();
            _streams.Dispose();
            _lentContext?.Dispose();
        }
    }
}
