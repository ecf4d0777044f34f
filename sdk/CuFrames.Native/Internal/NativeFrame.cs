using System.Runtime.InteropServices;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_frame. cuframes_metadata has the wire's layout.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeFrame
{
    public uint Size;
    public uint Memory;
    public ulong Owner;
    public ulong Lease;
    public ulong Sequence;
    public ulong Epoch;
    public ulong Missed;
    public uint PixelFormat;
    public uint Width;
    public uint Height;
    public uint PlaneCount;
    public int CudaDevice;
    public uint Reserved;
    public NativePlanes Planes;
    public FrameMetadata Metadata;
}
