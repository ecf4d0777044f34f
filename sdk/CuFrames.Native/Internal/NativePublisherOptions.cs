using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_publisher_options.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativePublisherOptions
{
    public uint Size;
    public uint Memory;
    public uint Slots;
    public uint MaxSlots;
    public uint MaxSubscribers;
    public uint MaxLeases;
    public long MemoryLimit;
    public long ShrinkAfter;
    public long LeaseTimeout;
    public long LosslessTimeout;
    public byte* Directory;
    public byte* Program;
    public byte* Source;
    public nint CudaContext;
    public int CudaDevice;
    public uint Readers;
    public uint* Users;
    public uint* Groups;
    public uint UserCount;
    public uint GroupCount;
    public delegate* unmanaged[Cdecl]<nint, NativeEvent*, void> OnEvent;
    public nint EventUser;
}
