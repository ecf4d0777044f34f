namespace CuFrames.Client;

/// <summary>A place in a stream of packets that can be kept, and gone on from by another subscriber or process.</summary>
/// <param name="Epoch">The publisher's run.</param>
/// <param name="Sequence">The packet's number in that run.</param>
public readonly record struct PacketPosition(ulong Epoch, ulong Sequence);
