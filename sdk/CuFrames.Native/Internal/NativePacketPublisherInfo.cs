using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_packet_publisher_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativePacketPublisherInfo
{
    public const int TextBytes = 256;

    public uint Size;
    public uint State;
    public ulong Epoch;
    public ulong Head;
    public ulong Oldest;
    public long BufferedTime;
    public long ByteCapacity;
    public ulong TooLarge;
    public ulong Evicted;
    public ulong HungUp;
    public ulong Refused;
    public uint Tracks;
    public uint Subscribers;
    public fixed byte SocketPath[TextBytes];
}
