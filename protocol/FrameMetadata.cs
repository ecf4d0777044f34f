using System.Runtime.InteropServices;

namespace CuFrames.Protocol;

/// <summary>What is known of a frame besides its pixels, in the wire's layout (docs/protocol.md 4.5). 64 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = FrameMetaLayout.Size)]
public struct FrameMetadata
{
    /// <summary>Value of <see cref="Pts"/> that means: not known.</summary>
    public const long UnknownPts = long.MinValue;

    /// <summary>Presentation time in the source's time line in nanoseconds, or <see cref="UnknownPts"/>.</summary>
    [FieldOffset(FrameMetaLayout.PtsOffset)]
    public long Pts;

    /// <summary>Wall clock at the camera in nanoseconds since 1970-01-01 UTC; 0: not known.</summary>
    [FieldOffset(FrameMetaLayout.CaptureTimeOffset)]
    public long CaptureTime;

    /// <summary>CLOCK_MONOTONIC in nanoseconds when the frame's data had arrived; 0: not known.</summary>
    [FieldOffset(FrameMetaLayout.ArrivalTimeOffset)]
    public long ArrivalTime;

    /// <summary>CLOCK_MONOTONIC in nanoseconds at publish. Written by the publisher.</summary>
    [FieldOffset(FrameMetaLayout.PublishTimeOffset)]
    public long PublishTime;

    /// <summary>Number of the packet it was decoded from, counted from 1; 0: none.</summary>
    [FieldOffset(FrameMetaLayout.SourcePacketOffset)]
    public ulong SourcePacket;

    /// <summary>Duration in nanoseconds; 0: not known.</summary>
    [FieldOffset(FrameMetaLayout.DurationOffset)]
    public long Duration;

    /// <summary>Flags.</summary>
    [FieldOffset(FrameMetaLayout.FlagsOffset)]
    public FrameFlags Flags;

    /// <summary>How the picture was coded.</summary>
    [FieldOffset(FrameMetaLayout.PictureTypeOffset)]
    public PictureType PictureType;

    /// <summary>Matrix coefficients as in ITU-T H.273: 1 BT.709, 2 unspecified, 5 and 6 BT.601, 9 BT.2020.</summary>
    [FieldOffset(FrameMetaLayout.ColourMatrixOffset)]
    public byte ColourMatrix;

    /// <summary>Range of the samples.</summary>
    [FieldOffset(FrameMetaLayout.ColourRangeOffset)]
    public ColourRange ColourRange;

    /// <summary>Colour primaries as in ITU-T H.273.</summary>
    [FieldOffset(FrameMetaLayout.ColourPrimariesOffset)]
    public byte ColourPrimaries;

    /// <summary>Transfer characteristics as in ITU-T H.273.</summary>
    [FieldOffset(FrameMetaLayout.ColourTransferOffset)]
    public byte ColourTransfer;

    /// <summary>Clockwise quarter turns to apply for display, 0 to 3.</summary>
    [FieldOffset(FrameMetaLayout.RotationOffset)]
    public byte Rotation;

    /// <summary>Chroma sample location type of ITU-T H.273 plus 1; 0: not known.</summary>
    [FieldOffset(FrameMetaLayout.ChromaLocationOffset)]
    public byte ChromaLocation;
}
