using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_subscriber_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeSubscriberInfo
{
    public const int TextBytes = 256;

    public uint Size;
    public uint IsConnected;
    public uint State;
    public uint Memory;
    public ulong Epoch;
    public uint GrantedLeases;
    public uint HeldFrames;
    public ulong Taken;
    public ulong Missed;
    public uint Reconnects;
    public uint Evictions;
    public uint ReleaseFence;
    public int CudaDevice;
    public fixed byte CudaDeviceUuid[16];
    public nint CudaContext;
    public NativeFormat Format;
    public fixed byte ReleaseFenceReason[TextBytes];
    public fixed byte Publisher[TextBytes];
    public fixed byte Source[TextBytes];
}
