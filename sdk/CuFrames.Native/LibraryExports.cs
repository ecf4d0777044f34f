using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;
using CuFrames.Protocol;

namespace CuFrames.Native;

/// <summary>The library's start, and what is neither a stream's nor a frame's.</summary>
internal static unsafe class LibraryExports
{
    /// <summary>The first managed call: by the time that it is made, the runtime runs. Called once, by the shim.</summary>
    [UnmanagedCallersOnly(EntryPoint = "managed_start", CallConvs = [typeof(CallConvCdecl)])]
    public static int Start(ShimServices* services)
    {
        Failure.Use(services->SetLastError);
        FrameTensor.Use(services->DeleteTensor, services->DeleteVersionedTensor);
        return Failure.Ok;
    }

    /// <summary>cuframes_picture_bytes.</summary>
    [UnmanagedCallersOnly(EntryPoint = "managed_picture_bytes", CallConvs = [typeof(CallConvCdecl)])]
    public static long PictureBytes(uint pixelFormat, uint width, uint height) =>
        width <= Wire.MaxDimension && height <= Wire.MaxDimension
            ? PixelFormats.PictureBytes((PixelFormat)pixelFormat, (int)width, (int)height)
            : 0;
}
