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
    public static int ToDlPack(NativeFrame* frame, uint plane, uint versioned, nint stream, uint hasStream, nint* tensor)
    {
        try
        {
            if (tensor == null)
            {
                return Failure.Because(LibraryError.InvalidArgument, "There is no place to put the tensor: the pointer is null."u8);
            }

            *tensor = 0;
            if (versioned > 1 || hasStream > 1)
            {
                return Failure.Because(LibraryError.InvalidArgument, "versioned and has_stream are 0 or 1."u8);
            }

            return OpenSubscriber.Of(frame) is { } subscriber && subscriber.MakeTensor(frame->Lease, plane, versioned == 1, stream, hasStream, tensor)
                ? Failure.Ok
                : NotHeld();
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    /// <summary>The inner half of a tensor's deleter, which the shim calls before it frees the tensor.</summary>
    [UnmanagedCallersOnly(EntryPoint = "managed_tensor_delete", CallConvs = [typeof(CallConvCdecl)])]
    public static void TensorDelete(TensorOwner* owner)
    {
        try
        {
            if (OpenSubscriber.Table.Find(owner->Subscriber) is { } subscriber)
            {
                _ = owner->HasStream == 1 ? subscriber.Release(owner->Lease, owner->Stream) : subscriber.Release(owner->Lease);
            }
        }
        catch (Exception error)
        {
            // A deleter tells nothing; who asks finds the sentence. The lease stays: nobody knows when the stream's work is done with the frame.
            _ = Failure.Of(error);
        }
    }

    private static int NotHeld() =>
        Failure.Because(LibraryError.InvalidHandle, "This frame is not held: it was released, or its structure was never filled in."u8);
}
