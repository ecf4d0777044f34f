using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>DLManagedTensorVersioned of dlpack.h 1.0. The shim knows where <see cref="ManagerContext"/> lies.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DlManagedTensorVersioned
{
    public const uint CurrentMajor = 1;

    /// <summary>DLPACK_FLAG_BITMASK_READ_ONLY.</summary>
    public const ulong ReadOnly = 1;

    public uint Major;
    public uint Minor;
    public nint ManagerContext;
    public nint Deleter;
    public ulong Flags;
    public DlTensor Tensor;
}
