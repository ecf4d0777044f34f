using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>The log.</summary>
internal static unsafe class LogExports
{
    [UnmanagedCallersOnly(EntryPoint = "managed_set_log", CallConvs = [typeof(CallConvCdecl)])]
    public static int SetLog(delegate* unmanaged[Cdecl]<nint, uint, byte*, void> callback, nint user, uint level)
    {
        try
        {
            if (callback != null && !Enum.IsDefined((LogLevel)level))
            {
                return Failure.Because(LibraryError.InvalidArgument,
                    $"The level of the log is {level}; it is one of enum cuframes_log_level: 1 error, 2 warning, 3 information.");
            }

            LibraryLog.Use(callback, user, (LogLevel)level);
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }
}
