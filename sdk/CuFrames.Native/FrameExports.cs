using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>Frames that are held.</summary>
internal static unsafe class FrameExports
{
    [UnmanagedCallersOnly(EntryPoint = "managed_frame_release", CallConvs = [typeof(CallConvCdecl)])]
    public static int Release(NativeFrame* frame) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_frame_release_stream", CallConvs = [typeof(CallConvCdecl)])]
    public static int ReleaseStream(NativeFrame* frame, nint stream) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_frame_retain", CallConvs = [typeof(CallConvCdecl)])]
    public static int Retain(NativeFrame* frame) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_frame_check", CallConvs = [typeof(CallConvCdecl)])]
    public static int Check(NativeFrame* frame) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_frame_copy", CallConvs = [typeof(CallConvCdecl)])]
    public static int Copy(NativeFrame* frame, nint destination, nuint size) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_frame_to_dlpack", CallConvs = [typeof(CallConvCdecl)])]
    public static int ToDlPack(NativeFrame* frame, uint plane, uint versioned, nint stream, uint hasStream, nint* tensor) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_tensor_delete", CallConvs = [typeof(CallConvCdecl)])]
    public static void TensorDelete(nint context)
    {
    }
}
