using CuFrames.Interop;

namespace CuFrames.Native.Internal;

/// <summary>An event behind the work of a stream that an owner of a frame has named. Made once for its place, used again.</summary>
internal sealed class StreamMark(CudaEvent cudaEvent)
{
    public CudaEvent Event { get; } = cudaEvent;

    /// <summary>The stream (CUstream).</summary>
    public nint Stream { get; set; }
}
