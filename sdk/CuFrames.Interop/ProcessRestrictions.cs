using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Makes less of what this process may do, for a process that works on what strangers send. None of it can be taken back. Each concerns the whole process,
/// and threads that are started later.
/// </summary>
public static class ProcessRestrictions
{
    /// <summary>Above the score of a process that was not touched, and below the most, which is 1000.</summary>
    private const string OutOfMemoryScore = "500";

    /// <summary>Lets the kernel end this process with SIGKILL when the thread ends that started it.</summary>
    /// <param name="parent">The process of that thread. If it has ended meanwhile, this one ends now.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void EndWithParent(int parent)
    {
        Set(LibC.PR_SET_PDEATHSIG, LibC.SIGKILL, "end with the parent process");
        if (LibC.GetParent() != parent)
        {
            Environment.Exit(1);
        }
    }

    /// <summary>Nothing that this process starts gets more rights than it has, also where the program's file says so (set-user-id, capabilities).</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void ForbidNewPrivileges() => Set(LibC.PR_SET_NO_NEW_PRIVS, 1, "forbid new privileges");

    /// <summary>No image of its memory is written when it crashes, and no other process of the same user may read or trace it: it holds passwords.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static unsafe void ForbidCoreDumps()
    {
        ulong* limit = stackalloc ulong[2];
        limit[0] = limit[1] = 0;
        if (LibC.SetResourceLimit(LibC.RLIMIT_CORE, limit) != 0)
        {
            throw LinuxException.FromLastError("setrlimit", "forbid core dumps");
        }

        Set(LibC.PR_SET_DUMPABLE, 0, "forbid core dumps");
    }

    /// <summary>When the machine or the control group runs out of memory, the kernel ends this process before those that were not touched.</summary>
    /// <returns>False when the kernel refused, which a container may bring about.</returns>
    public static bool BeFirstToGo()
    {
        try
        {
            File.WriteAllText("/proc/self/oom_score_adj", OutOfMemoryScore);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static void Set(int option, ulong value, string purpose)
    {
        if (LibC.ControlProcess(option, value, 0, 0, 0) != 0)
        {
            throw LinuxException.FromLastError("prctl", purpose);
        }
    }
}
