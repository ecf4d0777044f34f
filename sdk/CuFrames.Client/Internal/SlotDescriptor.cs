using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>A copy of a slot's descriptor. Fields, so that the picture can be looked at in place.</summary>
internal readonly struct SlotDescriptor(uint segmentId, uint generation, in FrameMetadata metadata, in Picture picture)
{
    public readonly uint SegmentId = segmentId;

    public readonly uint Generation = generation;

    public readonly FrameMetadata Metadata = metadata;

    public readonly Picture Picture = picture;
}
