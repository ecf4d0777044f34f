using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>A parameter set of a track, as a packet named it. Never changes.</summary>
internal sealed record PacketSet(PacketTrack Track, uint Number, TrackParameters Parameters);
