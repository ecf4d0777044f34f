namespace CuFrames.Interop.Internal;

/// <summary>The 64 opaque bytes with which legacy IPC names memory and events.</summary>
internal static class IpcHandles
{
    /// <summary>Takes a handle from a message.</summary>
    internal static unsafe CudaNative.IpcHandle Read(ReadOnlySpan<byte> handle)
    {
        if (handle.Length != CudaNative.IpcHandleSize)
        {
            throw new ArgumentException(
                $"A CUDA IPC handle has {CudaNative.IpcHandleSize} bytes, this one has {handle.Length}.", nameof(handle));
        }

        CudaNative.IpcHandle native;
        handle.CopyTo(new Span<byte>(native.Bytes, CudaNative.IpcHandleSize));
        return native;
    }

    internal static void RequireRoom(Span<byte> handle)
    {
        if (handle.Length < CudaNative.IpcHandleSize)
        {
            throw new ArgumentException(
                $"A CUDA IPC handle has {CudaNative.IpcHandleSize} bytes, there is room for {handle.Length}.", nameof(handle));
        }
    }
}
