using CuFrames.Interop;

namespace CuFrames.Media.Internal;

/// <summary>The end of a source's CUDA stream.</summary>
internal static class StreamEnd
{
    /// <summary>Waits until a stream uses no memory any more that its source is about to give back.</summary>
    /// <param name="stream">The stream; null, or gone: there is nothing to wait for.</param>
    internal static void Await(CudaStream? stream)
    {
        try
        {
            if (stream is { IsClosed: false })
            {
                stream.Synchronize();
            }
        }
        catch (CudaException)
        {
            // The context is broken: nothing runs in it any more, and whoever uses it next is told.
            return;
        }
    }
}
