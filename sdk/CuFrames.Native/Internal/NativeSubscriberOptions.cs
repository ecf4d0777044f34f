using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_subscriber_options.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeSubscriberOptions
{
    public uint Size;
    public uint Delivery;
    public uint Leases;
    public uint Fences;
    public uint NoReconnect;
    public uint WaitForStream;
    public byte* Directory;
    public byte* Program;
    public nint CudaContext;
    public delegate* unmanaged[Cdecl]<nint, NativeEvent*, void> OnEvent;
    public nint EventUser;
}
