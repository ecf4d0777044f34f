using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_subscriber_statistics.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeSubscriberStatistics
{
    public const int TextBytes = 256;

    public ulong SubscriberId;
    public ulong Lag;
    public ulong Taken;
    public ulong Missed;
    public int ProcessId;
    public uint UserId;
    public uint Delivery;
    public uint GrantedLeases;
    public uint HeldLeases;
    public uint Reserved;
    public fixed byte Program[TextBytes];
}
