using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_event.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeEvent
{
    public uint Size;
    public uint Kind;
    public uint Code;
    public uint Reserved;
    public ulong Epoch;
    public ulong SubscriberId;
    public byte* Text;
}
