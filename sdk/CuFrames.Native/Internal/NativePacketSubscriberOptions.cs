using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_packet_subscriber_options.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativePacketSubscriberOptions
{
    public uint Size;
    public uint Start;
    public ulong AfterEpoch;
    public ulong AfterSequence;
    public uint NoReconnect;
    public uint WaitForStream;
    public byte* Directory;
    public byte* Program;
    public delegate* unmanaged[Cdecl]<nint, NativeEvent*, void> OnEvent;
    public nint EventUser;
}
