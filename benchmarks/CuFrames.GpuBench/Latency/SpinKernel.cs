using CuFrames.Interop;

namespace CuFrames.Benchmarks.Gpu.Latency;

/// <summary>A reader's work on a frame: a kernel that keeps the whole device busy for a given time.</summary>
internal sealed class SpinKernel : IDisposable
{
    private const uint Threads = 128;

    private readonly CudaModule _module;
    private readonly nint _function;
    private readonly uint _blocks;

    public SpinKernel(CudaContext context)
    {
        _module = CudaModule.Load(context, File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "test_kernels.ptx")));
        _function = _module.Function("spin");
        _blocks = (uint)Math.Max(1, context.Device.Multiprocessors);
    }

    public void Launch(CudaStream stream, ulong nanoseconds) => stream.Launch(_function, _blocks, Threads, nanoseconds);

    public void Dispose() => _module.Dispose();
}
