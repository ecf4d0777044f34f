using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>The log.</summary>
internal static unsafe class LogExports
{
    [UnmanagedCallersOnly(EntryPoint = "managed_set_log", CallConvs = [typeof(CallConvCdecl)])]
    public static int SetLog(delegate* unmanaged[Cdecl]<nint, uint, byte*, void> callback, nint user, uint level) => Failure.Because(LibraryError.Internal, "not built yet"u8);
}
