using System.Runtime.InteropServices;

namespace CuFrames.Interop.Internal;

/// <summary>nvmlUtilization_t: percent.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlUtilisation
{
    internal uint Gpu;
    internal uint Memory;
}
