using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_packet_subscriber_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativePacketSubscriberInfo
{
    public const int TextBytes = 256;
    public const int MaxTracks = 8;

    public uint Size;
    public uint IsConnected;
    public uint State;
    public uint Tracks;
    public ulong Epoch;
    public ulong Taken;
    public ulong Missed;
    public fixed ulong MissedOnTrack[MaxTracks];
    public ulong ByteCapacity;
    public uint Reconnects;
    public uint Evictions;
    public fixed byte Publisher[TextBytes];
    public fixed byte Source[TextBytes];
}
