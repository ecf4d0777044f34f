using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_packet_publisher_options.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativePacketPublisherOptions
{
    public uint Size;
    public uint MaxPackets;
    public long ByteCapacity;
    public long MaxAge;
    public uint MaxSubscribers;
    public uint Readers;
    public byte* Directory;
    public byte* Program;
    public byte* Source;
    public uint* Users;
    public uint* Groups;
    public uint UserCount;
    public uint GroupCount;
    public delegate* unmanaged[Cdecl]<nint, NativeEvent*, void> OnEvent;
    public nint EventUser;
}
