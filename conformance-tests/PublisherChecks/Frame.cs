using CuFrames.Conformance.Spec;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>A frame that is held: its lease word is set and the slot's state was found right.</summary>
/// <param name="Sequence">Its number.</param>
/// <param name="Slot">The slot it lies in.</param>
/// <param name="Descriptor">A copy of the slot's 256 bytes, made under the lease.</param>
/// <param name="Segment">Where the picture lies.</param>
/// <param name="Picture">The checked picture.</param>
internal sealed record Frame(ulong Sequence, int Slot, byte[] Descriptor, Segment Segment, Picture Picture)
{
    /// <summary>SHA-256 of the visible picture as it is in memory now.</summary>
    public string Hash() => Picture.Hash(Segment.Mapping.ReadOnlySlice);
}
