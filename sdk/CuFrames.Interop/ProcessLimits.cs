using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>Limits that the kernel sets this process.</summary>
public static class ProcessLimits
{
    /// <summary>Raises the limit of open descriptors to the most that this process may have.</summary>
    /// <returns>The limit now.</returns>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static unsafe int RaiseDescriptors()
    {
        ulong* limit = stackalloc ulong[2];
        if (LibC.GetResourceLimit(LibC.RLIMIT_NOFILE, limit) != 0)
        {
            throw LinuxException.FromLastError("getrlimit", "read the limit of open descriptors");
        }

        if (limit[0] < limit[1])
        {
            limit[0] = limit[1];
            if (LibC.SetResourceLimit(LibC.RLIMIT_NOFILE, limit) != 0)
            {
                throw LinuxException.FromLastError("setrlimit", "raise the limit of open descriptors");
            }
        }

        return (int)Math.Min(limit[0], int.MaxValue);
    }
}
