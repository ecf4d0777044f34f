using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_stream_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeStreamInfo
{
    public byte* Key;
    public byte* Program;
    public byte* Source;
    public byte* StateText;
    public byte* Error;
    public uint ErrorCode;
    public uint State;
    public uint Memory;
    public uint Slots;
    public uint MaxSlots;
    public uint Subscribers;
    public ulong Epoch;
    public ulong Head;
    public ulong Dropped;
    public ulong Evicted;
    public ulong MemoryBytes;
    public fixed byte CudaDeviceUuid[16];
    public NativeFormat Format;
}
