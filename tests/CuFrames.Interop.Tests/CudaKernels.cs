namespace CuFrames.Interop.Tests;

/// <summary>The kernels of tests/kernels as PTX text: a real driver compiles them, the double knows them by name.</summary>
internal static class CudaKernels
{
    internal static string Ptx => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "test_kernels.ptx"));
}
