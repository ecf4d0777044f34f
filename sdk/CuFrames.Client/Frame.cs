using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>
/// A frame that is held: its content does not change until it is released with <see cref="Dispose"/>. A handle of two words; copies of it
/// stand for the same lease, and the first release ends it.
/// </summary>
/// <remarks>
/// <para>Any thread may read and release a frame. Spans taken from it must not be used afterwards: the memory may be unmapped.</para>
/// <para>A frame becomes invalid when the publisher evicts the subscriber. Its memory stays readable, and <see cref="IsValid"/> says that it may
/// have been overwritten: check it after the last read where that matters.</para>
/// </remarks>
public readonly struct Frame : IDisposable, IEquatable<Frame>
{
    private readonly FrameLease? _lease;

    internal Frame(FrameLease lease)
    {
        _lease = lease;
        Sequence = lease.Sequence;
    }

    /// <summary>Number of the frame in its epoch, from 1.</summary>
    public ulong Sequence { get; }

    /// <summary>The publisher's run that the frame comes from.</summary>
    public ulong Epoch => Held.Connection.Epoch;

    /// <summary>Frames skipped between the one taken before and this one.</summary>
    public ulong Missed => Held.Missed;

    /// <summary>Whether the frame is held and not overwritten. False for a default value and after the release.</summary>
    public bool IsValid => _lease is not null && _lease.Connection.IsValid(_lease, Sequence);

    /// <summary>What is known of the frame besides its pixels.</summary>
    /// <exception cref="FrameLostException">The frame was released.</exception>
    public FrameMetadata Metadata => Held.Descriptor.Metadata;

    /// <summary>How samples lie in memory.</summary>
    /// <exception cref="FrameLostException">The frame was released.</exception>
    public PixelFormat PixelFormat => Held.Descriptor.Picture.PixelFormat;

    /// <summary>Visible columns.</summary>
    /// <exception cref="FrameLostException">The frame was released.</exception>
    public int Width => Held.Descriptor.Picture.Width;

    /// <summary>Visible rows.</summary>
    /// <exception cref="FrameLostException">The frame was released.</exception>
    public int Height => Held.Descriptor.Picture.Height;

    /// <summary>Where the pixels lie: <see cref="Plane"/> reads main memory, <see cref="DevicePlane"/> names device memory.</summary>
    /// <exception cref="FrameLostException">The frame was released.</exception>
    public MemoryDomain Memory => Held.Connection.Cuda is null ? MemoryDomain.Host : MemoryDomain.Cuda;

    /// <summary>UUID of the CUDA device that the pixels lie on; empty for main memory.</summary>
    /// <exception cref="FrameLostException">The frame was released.</exception>
    public Guid DeviceUuid => Held.Connection.Cuda?.Context.Device.Uuid ?? Guid.Empty;

    /// <summary>Planes.</summary>
    /// <exception cref="FrameLostException">The frame was released.</exception>
    public int PlaneCount => Held.Descriptor.Picture.PlaneCount;

    private FrameLease Held
    {
        get
        {
            if (_lease is null || _lease.Sequence != Sequence)
            {
                throw new FrameLostException(_lease is null
                    ? "This frame is a default value; frames come from a subscriber."
                    : $"Frame {Sequence} was released; take what you need of it before.");
            }

            return _lease;
        }
    }

    /// <summary>A plane of the frame, in place, without a copy; the crop is applied.</summary>
    /// <param name="plane">The plane, from 0.</param>
    /// <exception cref="FrameLostException">The frame was released, or its subscriber was evicted.</exception>
    /// <exception cref="InvalidOperationException">The frame lies in device memory.</exception>
    public FramePlane Plane(int plane)
    {
        FrameLease lease = Held;
        if (lease.Segment is not HostMappedSegment segment)
        {
            throw new InvalidOperationException(
                $"This frame lies in the memory of GPU-{DeviceUuid}, which the CPU cannot read: use DevicePlane, or bring it to main memory with CopyTo.");
        }

        DevicePlane place = PlaceOf(lease, plane);
        long length = ((long)(place.Rows - 1) * place.Pitch) + place.RowBytes;
        return new FramePlane(segment.Mapping.ReadOnlySlice((long)place.Address, checked((int)length)), place.Pitch, place.RowBytes, place.Rows);
    }

    /// <summary>A plane of a frame in device memory, in place, without a copy; the crop is applied. The frame is complete: work on any stream may
    /// read it at once.</summary>
    /// <param name="plane">The plane, from 0.</param>
    /// <exception cref="FrameLostException">The frame was released, or its subscriber was evicted.</exception>
    /// <exception cref="InvalidOperationException">The frame lies in main memory.</exception>
    public DevicePlane DevicePlane(int plane)
    {
        FrameLease lease = Held;
        if (lease.Segment is not CudaMappedSegment segment)
        {
            throw new InvalidOperationException("This frame lies in main memory: use Plane.");
        }

        DevicePlane place = PlaceOf(lease, plane);
        return place with { Address = segment.AddressOf(place.Address) };
    }

    /// <summary>Copies the visible picture to main memory: planes in order, rows without padding. Waits for this copy and nothing else.</summary>
    /// <param name="destination">At least <see cref="PixelFormats.PictureBytes"/> bytes. From device memory the copy is fastest into
    /// <see cref="CudaHostMemory"/>.</param>
    /// <returns>Bytes copied.</returns>
    /// <exception cref="FrameLostException">The frame was released, or was overwritten before the copy was complete.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    /// <exception cref="ArgumentException">The destination is too small.</exception>
    public unsafe int CopyTo(Span<byte> destination)
    {
        int position = 0;
        if (Memory == MemoryDomain.Cuda)
        {
            CudaStream stream = Held.Connection.Cuda!.Stream!;
            fixed (byte* address = destination)
            {
                position = EnqueueCopy((ulong)address, destination.Length, stream);
                stream.Synchronize();
            }

            ThrowIfInvalid();
            return position;
        }

        for (int index = 0; index < PlaneCount; index++)
        {
            FramePlane plane = Plane(index);
            for (int row = 0; row < plane.Rows; row++)
            {
                plane.Row(row).CopyTo(destination[position..]);
                position += plane.RowBytes;
            }
        }

        ThrowIfInvalid();
        return position;
    }

    /// <summary>Enqueues a copy of the visible picture of a frame in device memory: planes in order, rows without padding. Waits for nothing; the
    /// bytes are there when the stream has come to them. Check <see cref="IsValid"/> then, or release the frame behind the copy.</summary>
    /// <param name="destination">Pinned memory, at least <see cref="PixelFormats.PictureBytes"/> bytes.</param>
    /// <param name="stream">A stream of the frame's device.</param>
    /// <returns>Bytes that are copied.</returns>
    /// <exception cref="FrameLostException">The frame was released, or its subscriber was evicted.</exception>
    /// <exception cref="InvalidOperationException">The frame lies in main memory.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    /// <exception cref="ArgumentException">The destination is too small.</exception>
    public unsafe int EnqueueCopyTo(CudaHostMemory destination, CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(stream);
        return EnqueueCopy((ulong)destination.Pointer, destination.Size, stream);
    }

    /// <summary>Throws when the content is not to be trusted. Call it after the last read where an eviction must not go unnoticed.</summary>
    /// <exception cref="FrameLostException">The frame was released, or its subscriber was evicted.</exception>
    public void ThrowIfInvalid()
    {
        FrameLease lease = Held;
        if (!lease.Connection.IsValid(lease, Sequence))
        {
            throw new FrameLostException(
                $"Frame {Sequence} is lost: the publisher evicted this subscriber and may have overwritten it. " +
                (lease.Connection.EndText.Length > 0 ? lease.Connection.EndText : "Release frames sooner."));
        }
    }

    /// <summary>Releases the frame. Doing it again, also from another copy of the handle, has no effect.</summary>
    public void Dispose() => _lease?.Connection.Release(_lease, Sequence);

    /// <summary>Releases the frame behind the work that is in a stream now, without waiting for it unless <see cref="FrameSubscriber.ReleaseFence"/>
    /// is CPU. The frame may not be read by work that is enqueued later. Doing it again has no effect.</summary>
    /// <param name="stream">The stream whose work reads the frame.</param>
    /// <exception cref="CudaException">The driver refused; the frame is still held.</exception>
    public void Release(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        _lease?.Connection.Release(_lease, Sequence, stream);
    }

    /// <summary>Whether both stand for the same lease.</summary>
    /// <param name="other">The other.</param>
    public bool Equals(Frame other) => ReferenceEquals(_lease, other._lease) && Sequence == other.Sequence;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Frame other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_lease, Sequence);

    /// <summary>Whether both stand for the same lease.</summary>
    public static bool operator ==(Frame left, Frame right) => left.Equals(right);

    /// <summary>Whether they stand for different leases.</summary>
    public static bool operator !=(Frame left, Frame right) => !left.Equals(right);

    /// <summary>A plane's place in its segment: the address is an offset.</summary>
    private DevicePlane PlaceOf(FrameLease lease, int plane)
    {
        ThrowIfInvalid();
        ref readonly Picture picture = ref lease.Picture;
        return (uint)plane < (uint)picture.PlaneCount
            ? new DevicePlane(
                picture.VisibleOffset(plane),
                (int)picture.PlanePitch[plane],
                PixelFormats.RowBytes(picture.PixelFormat, plane, picture.Width),
                PixelFormats.Rows(picture.PixelFormat, plane, picture.Height))
            : throw new ArgumentOutOfRangeException(nameof(plane), plane, $"The frame has {picture.PlaneCount} planes.");
    }

    private int EnqueueCopy(ulong destination, long room, CudaStream stream)
    {
        long bytes = PixelFormats.PictureBytes(PixelFormat, Width, Height);
        if (room < bytes)
        {
            throw new ArgumentException($"The picture has {bytes} bytes and the destination {room}.", nameof(destination));
        }

        long position = 0;
        for (int index = 0; index < PlaneCount; index++)
        {
            DevicePlane plane = DevicePlane(index);
            stream.Copy(new CudaCopy
            {
                Source = plane.Address,
                SourcePitch = plane.Pitch,
                SourceIsDevice = true,
                Destination = destination + (ulong)position,
                DestinationPitch = plane.RowBytes,
                DestinationIsDevice = false,
                RowBytes = plane.RowBytes,
                Rows = plane.Rows,
            });
            position += (long)plane.RowBytes * plane.Rows;
        }

        return (int)position;
    }
}
