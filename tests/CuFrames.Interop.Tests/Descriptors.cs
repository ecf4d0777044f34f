using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop.Tests;

/// <summary>Counts this process's descriptors and makes them scarce.</summary>
internal static unsafe class Descriptors
{
    /// <summary>
    /// The open descriptors' numbers, after everything that earlier tests forgot has been closed: what a test starts
    /// from.
    /// </summary>
    internal static SortedSet<int> Baseline()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Open();
    }

    /// <summary>
    /// The open descriptors' numbers, less those of assemblies, which the runtime loads when it needs them.
    /// </summary>
    internal static SortedSet<int> Open()
    {
        var numbers = new SortedSet<int>();
        foreach (string entry in Directory.GetFileSystemEntries("/proc/self/fd"))
        {
            // The listing's own descriptor is gone by now.
            if (TryReadTarget(entry) is { } target && !target.EndsWith(".dll", StringComparison.Ordinal))
            {
                numbers.Add(int.Parse(Path.GetFileName(entry), CultureInfo.InvariantCulture));
            }
        }

        return numbers;
    }

    /// <summary>Runs an action while exactly this many descriptors are to be had.</summary>
    internal static void WithFree(int free, Action action)
    {
        // Ask the kernel for the lowest free numbers: a call that waits in accept holds one that /proc does not show.
        int limit = 0;
        int[] probes = new int[free + 1];
        for (int i = 0; i <= free; i++)
        {
            probes[i] = TestLibC.DescriptorControl(0, LibC.F_DUPFD_CLOEXEC, 0);
            limit = probes[i];
        }

        foreach (int probe in probes)
        {
            _ = LibC.Close(probe);
        }

        TestLibC.Limit before;
        ThrowIfFailed(TestLibC.GetLimit(TestLibC.RLIMIT_NOFILE, &before));
        var lowered = new TestLibC.Limit { Soft = (ulong)limit, Hard = before.Hard };
        ThrowIfFailed(TestLibC.SetLimit(TestLibC.RLIMIT_NOFILE, &lowered));
        try
        {
            action();
        }
        finally
        {
            ThrowIfFailed(TestLibC.SetLimit(TestLibC.RLIMIT_NOFILE, &before));
        }
    }

    /// <summary>Whether a descriptor is closed on exec.</summary>
    internal static bool IsCloseOnExec(FileDescriptor descriptor) =>
        (LibC.Fcntl(descriptor, TestLibC.F_GETFD, 0) & TestLibC.FD_CLOEXEC) != 0;

    private static string? TryReadTarget(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static void ThrowIfFailed(int result)
    {
        if (result < 0)
        {
            throw new InvalidOperationException(Marshal.GetLastPInvokeErrorMessage());
        }
    }
}
