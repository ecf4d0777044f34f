using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_publisher_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativePublisherInfo
{
    public const int TextBytes = 256;

    public uint Size;
    public uint State;
    public ulong Epoch;
    public ulong Head;
    public ulong Published;
    public ulong Dropped;
    public ulong Evicted;
    public ulong HungUp;
    public ulong Refused;
    public uint Slots;
    public uint HeldSlots;
    public long SegmentBytes;
    public long UnansweredBytes;
    public uint Subscribers;
    public int CudaDevice;
    public nint CudaContext;
    public NativeFormat Format;
    public fixed byte SocketPath[TextBytes];
}
