using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>Frames that are held: the twins of cuframes_frame_*, which include/cuframes.h describes.</summary>
internal static unsafe class FrameExports
{
    [UnmanagedCallersOnly(EntryPoint = "managed_frame_release", CallConvs = [typeof(CallConvCdecl)])]
    public static int Release(NativeFrame* frame)
    {
        try
        {
            if (OpenSubscriber.Of(frame) is not { } subscriber || !subscriber.Release(frame->Lease))
            {
                return NotHeld();
            }

            frame->Lease = 0;
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_frame_release_stream", CallConvs = [typeof(CallConvCdecl)])]
    public static int ReleaseStream(NativeFrame* frame, nint stream)
    {
        try
        {
            if (OpenSubscriber.Of(frame) is not { } subscriber || !subscriber.Release(frame->Lease, stream))
            {
                return NotHeld();
            }

            frame->Lease = 0;
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_frame_retain", CallConvs = [typeof(CallConvCdecl)])]
    public static int Retain(NativeFrame* frame)
    {
        try
        {
            return OpenSubscriber.Of(frame) is { } subscriber && subscriber.Retain(frame->Lease) ? Failure.Ok : NotHeld();
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_frame_check", CallConvs = [typeof(CallConvCdecl)])]
    public static int Check(NativeFrame* frame)
    {
        try
        {
            return OpenSubscriber.Of(frame) is { } subscriber && subscriber.Check(frame->Lease) ? Failure.Ok : NotHeld();
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_frame_copy", CallConvs = [typeof(CallConvCdecl)])]
    public static int Copy(NativeFrame* frame, byte* destination, nuint size)
    {
        try
        {
            if (destination == null)
            {
                return Failure.Because(LibraryError.InvalidArgument, "There is no memory to copy to: the pointer is null."u8);
            }

            return OpenSubscriber.Of(frame) is { } subscriber && subscriber.Copy(frame->Lease, destination, size) ? Failure.Ok : NotHeld();
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_frame_to_dlpack", CallConvs = [typeof(CallConvCdecl)])]
    public static int ToDlPack(NativeFrame* frame, uint plane, uint versioned, nint stream, uint hasStream, nint* tensor) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_tensor_delete", CallConvs = [typeof(CallConvCdecl)])]
    public static void TensorDelete(nint context)
    {
    }

    private static int NotHeld() =>
        Failure.Because(LibraryError.InvalidHandle, "This frame is not held: it was released, or its structure was never filled in."u8);
}
