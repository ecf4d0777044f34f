using CuFrames.Client.Internal;
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
    public FramePlane Plane(int plane)
    {
        FrameLease lease = Held;
        ThrowIfInvalid();
        ref readonly Picture picture = ref lease.Picture;
        if ((uint)plane >= (uint)picture.PlaneCount)
        {
            throw new ArgumentOutOfRangeException(nameof(plane), plane, $"The frame has {picture.PlaneCount} planes.");
        }

        int pitch = (int)picture.PlanePitch[plane];
        int rowBytes = PixelFormats.RowBytes(picture.PixelFormat, plane, picture.Width);
        int rows = PixelFormats.Rows(picture.PixelFormat, plane, picture.Height);
        long length = ((long)(rows - 1) * pitch) + rowBytes;
        return new FramePlane(
            lease.Segment!.Mapping.ReadOnlySlice((long)picture.VisibleOffset(plane), checked((int)length)), pitch, rowBytes, rows);
    }

    /// <summary>Copies the visible picture: planes in order, rows without padding.</summary>
    /// <param name="destination">At least <see cref="PixelFormats.PictureBytes"/> bytes.</param>
    /// <returns>Bytes copied.</returns>
    /// <exception cref="FrameLostException">The frame was released, or was overwritten before the copy was complete.</exception>
    /// <exception cref="ArgumentException">The destination is too small.</exception>
    public int CopyTo(Span<byte> destination)
    {
        int position = 0;
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
}
