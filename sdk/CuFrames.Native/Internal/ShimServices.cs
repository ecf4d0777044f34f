using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>shim_services of shim/cuframes.c: what the C side gives to managed code at the start.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ShimServices
{
    public delegate* unmanaged[Cdecl]<byte*, nuint, void> SetLastError;
    public nint DeleteTensor;
    public nint DeleteVersionedTensor;
}
