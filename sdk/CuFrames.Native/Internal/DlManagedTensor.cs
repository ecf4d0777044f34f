using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>DLManagedTensor of dlpack.h. The shim knows where <see cref="ManagerContext"/> lies.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DlManagedTensor
{
    public DlTensor Tensor;
    public nint ManagerContext;
    public nint Deleter;
}
