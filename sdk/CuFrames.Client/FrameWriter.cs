using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>A frame while it is written. Belongs to the thread that began it. Ends with <see cref="Publish()"/>, or unpublished with <see cref="Dispose"/>.</summary>
/// <remarks>The planes' old content is whatever the slot held before: write all of it.</remarks>
public readonly ref struct FrameWriter
{
    private readonly FramePublisher _publisher;
    private readonly int _slot;

    internal FrameWriter(FramePublisher publisher, int slot)
    {
        _publisher = publisher;
        _slot = slot;
    }

    /// <summary>Planes of the frame.</summary>
    public int PlaneCount => _publisher.PictureOf(_slot).PlaneCount;

    /// <summary>Visible columns.</summary>
    public int Width => _publisher.PictureOf(_slot).Width;

    /// <summary>Visible rows.</summary>
    public int Height => _publisher.PictureOf(_slot).Height;

    /// <summary>How samples lie in memory.</summary>
    public PixelFormat PixelFormat => _publisher.PictureOf(_slot).PixelFormat;

    /// <summary>What is told of the frame besides its pixels. Begins with unknown times and the stream's colours; the publish time is filled in
    /// by <see cref="Publish()"/>.</summary>
    public ref FrameMetadata Metadata => ref _publisher.OpenMetadata;

    /// <summary>Bytes from one row of a plane to the next, a multiple of 64.</summary>
    /// <param name="plane">The plane, from 0.</param>
    public int Pitch(int plane) => (int)_publisher.PictureOf(_slot).PlanePitch[Check(plane)];

    /// <summary>Bytes that a row of a plane holds, without padding.</summary>
    /// <param name="plane">The plane, from 0.</param>
    public int RowBytes(int plane) => PixelFormats.RowBytes(PixelFormat, Check(plane), Width);

    /// <summary>Rows of a plane.</summary>
    /// <param name="plane">The plane, from 0.</param>
    public int Rows(int plane) => PixelFormats.Rows(PixelFormat, Check(plane), Height);

    /// <summary>Where the frame lies: <see cref="Plane"/> and <see cref="PlaneAddress"/> are for main memory, <see cref="DeviceAddress"/> for a
    /// device's.</summary>
    public MemoryDomain Memory => _publisher.Memory;

    /// <summary>CUDA device pointer to a plane's first byte, in the publisher's context. Work on any stream may write there; the slot is nobody
    /// else's. Not to be used after the frame has ended.</summary>
    /// <param name="plane">The plane, from 0.</param>
    /// <exception cref="InvalidOperationException">The frame lies in main memory, or has ended.</exception>
    public ulong DeviceAddress(int plane) => _publisher.DeviceAddressOf(_slot, Check(plane));

    /// <summary>A plane, padding included: <see cref="Pitch"/> times <see cref="Rows"/> bytes. Not to be used after the frame has ended.</summary>
    /// <param name="plane">The plane, from 0.</param>
    /// <exception cref="InvalidOperationException">The frame lies in device memory, or has ended.</exception>
    public Span<byte> Plane(int plane) => _publisher.PlaneOf(_slot, Check(plane), Pitch(plane) * Rows(plane));

    /// <summary>One row of a plane, without padding.</summary>
    /// <param name="plane">The plane, from 0.</param>
    /// <param name="row">The row, from 0.</param>
    public Span<byte> Row(int plane, int row) => Plane(plane).Slice(row * Pitch(plane), RowBytes(plane));

    /// <summary>Address of a plane's first byte, for native code that fills it. Not to be used after the frame has ended.</summary>
    /// <param name="plane">The plane, from 0.</param>
    public nint PlaneAddress(int plane)
    {
        unsafe
        {
            fixed (byte* first = Plane(plane))
            {
                // The plane lies in a shared mapping, which does not move.
                return (nint)first;
            }
        }
    }

    /// <summary>Announces the frame: all its bytes must be written; those that a GPU writes too, so wait for it first, or use
    /// <see cref="Publish(CudaStream)"/>. Wakes readers that wait; no system call when none does.</summary>
    /// <returns>The frame's sequence.</returns>
    /// <exception cref="InvalidOperationException">The frame has ended already.</exception>
    public ulong Publish() => _publisher.PublishOpen(_slot);

    /// <summary>Waits until the work that is in a stream now has ended, then announces the frame: for frames that the stream's work writes. Waits for
    /// nothing else, and for nothing that a reader controls.</summary>
    /// <param name="stream">The stream, of the publisher's device.</param>
    /// <returns>The frame's sequence.</returns>
    /// <exception cref="InvalidOperationException">The frame has ended already.</exception>
    /// <exception cref="CudaException">The work failed; the frame is not announced.</exception>
    public ulong Publish(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (FaultInjection.SkipCompletionWait)
        {
            return _publisher.PublishOpen(_slot);
        }

        if (!stream.IsIdle)
        {
            // A reader takes about as long to wake as the GPU to copy a frame: the two go on side by side.
            _publisher.WakeAhead(_slot);
        }

        stream.Synchronize();
        return _publisher.PublishOpen(_slot);
    }

    /// <summary>Gives the slot back when the frame was not published; else does nothing. Where a device writes the ring, it waits first for all work in
    /// the publisher's context, so that none still writes to a slot that others get: such work must not wait for this thread.</summary>
    public void Dispose() => _publisher?.AbandonOpen(_slot);

    private int Check(int plane) => (uint)plane < (uint)PlaneCount
        ? plane
        : throw new ArgumentOutOfRangeException(nameof(plane), plane, $"The frame has {PlaneCount} planes.");
}
