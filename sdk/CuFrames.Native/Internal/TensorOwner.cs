using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>What a tensor's deleter releases: the manager_ctx of a tensor points to it, in the tensor's own memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TensorOwner
{
    public nuint Subscriber;
    public ulong Lease;
    public nint Stream;
    public uint HasStream;
}
