using CuFrames.Client;

namespace CuFrames.TestKit;

/// <summary>A packet of a file.</summary>
/// <param name="Track">Index of its track.</param>
/// <param name="Metadata">Its times and flags.</param>
/// <param name="Data">Its bytes.</param>
public sealed record DemuxedPacket(int Track, PacketMetadata Metadata, byte[] Data);
