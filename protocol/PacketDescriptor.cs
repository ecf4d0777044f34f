using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CuFrames.Protocol;

/// <summary>A packet's descriptor in the wire's layout (docs/protocol.md 14.8). 192 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = PacketDescriptorLayout.Size)]
public struct PacketDescriptor
{
    /// <summary>Number of the packet in its epoch, from 1.</summary>
    [FieldOffset(PacketDescriptorLayout.SequenceOffset)]
    public ulong Sequence;

    /// <summary>Bytes of the ring from the beginning of the epoch to the packet's first byte.</summary>
    [FieldOffset(PacketDescriptorLayout.PositionOffset)]
    public ulong Position;

    /// <summary>Bytes of the packet.</summary>
    [FieldOffset(PacketDescriptorLayout.SizeOffset)]
    public uint Size;

    /// <summary>Number of the track.</summary>
    [FieldOffset(PacketDescriptorLayout.TrackOffset)]
    public uint Track;

    /// <summary>Number of the parameter set, from 1.</summary>
    [FieldOffset(PacketDescriptorLayout.ParametersOffset)]
    public uint Parameters;

    /// <summary>Flags.</summary>
    [FieldOffset(PacketDescriptorLayout.FlagsOffset)]
    public PacketFlags Flags;

    /// <summary>Presentation time in units of the parameter set's time base, or <see cref="FrameMetadata.UnknownPts"/>.</summary>
    [FieldOffset(PacketDescriptorLayout.PtsOffset)]
    public long Pts;

    /// <summary>Decoding time, likewise.</summary>
    [FieldOffset(PacketDescriptorLayout.DtsOffset)]
    public long Dts;

    /// <summary>Duration in units of the parameter set's time base; 0: not known.</summary>
    [FieldOffset(PacketDescriptorLayout.DurationOffset)]
    public long Duration;

    /// <summary>CLOCK_MONOTONIC in nanoseconds when the packet had arrived.</summary>
    [FieldOffset(PacketDescriptorLayout.ArrivalTimeOffset)]
    public long ArrivalTime;

    /// <summary>Wall clock at the camera in nanoseconds since 1970-01-01 UTC; 0: not known.</summary>
    [FieldOffset(PacketDescriptorLayout.CaptureTimeOffset)]
    public long CaptureTime;

    /// <summary>CLOCK_MONOTONIC in nanoseconds at publish.</summary>
    [FieldOffset(PacketDescriptorLayout.PublishTimeOffset)]
    public long PublishTime;

    /// <summary>Packets of each track up to this one, itself included.</summary>
    [FieldOffset(PacketDescriptorLayout.CountsOffset)]
    public TrackCounts Counts;

    /// <summary>Checks a copy that a peer wrote (14.11, step 4), tracks and parameter sets apart.</summary>
    /// <param name="sequence">The sequence that was asked for.</param>
    /// <param name="tracks">Tracks that there are.</param>
    /// <param name="byteCapacity">Bytes of the byte ring.</param>
    /// <returns>Null when it is sound, else what is wrong.</returns>
    public readonly string? FindFault(ulong sequence, int tracks, long byteCapacity)
    {
        if (Sequence != sequence)
        {
            return $"its entry holds packet {Sequence}";
        }

        if (Track >= (uint)tracks)
        {
            return $"it is of track {Track}, and there are {tracks} tracks";
        }

        if (Position % PacketBlockLayout.PacketAlignment != 0)
        {
            return $"it lies at {Position}, which is no multiple of {PacketBlockLayout.PacketAlignment}";
        }

        if (Size > byteCapacity / 2 || (long)(Position % (ulong)byteCapacity) + Size + PacketBlockLayout.PacketPadding > byteCapacity)
        {
            return $"its {Size} bytes at {Position} do not fit a ring of {byteCapacity} bytes";
        }

        if (Counts[(int)Track] == 0)
        {
            return $"it is said to be no packet of its track {Track}";
        }

        ulong sum = 0;
        for (int track = 0; track < PacketBlockLayout.TrackCapacity; track++)
        {
            if (Counts[track] > sequence)
            {
                return $"{Counts[track]} packets of track {track} are said to be among the first {sequence}";
            }

            sum += Counts[track];
        }

        // Eight numbers that are not above a sequence, which is below 2^56: no overflow.
        return sum == sequence ? null : $"its counts add up to {sum}";
    }

    /// <summary>A number of packets for each track.</summary>
    [InlineArray(PacketBlockLayout.TrackCapacity)]
    public struct TrackCounts
    {
        private ulong _first;
    }
}
