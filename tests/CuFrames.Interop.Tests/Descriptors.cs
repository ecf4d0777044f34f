using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;
using Xunit;

namespace CuFrames.Interop.Tests;

/// <summary>Counts this process's descriptors and makes them scarce.</summary>
internal static unsafe class Descriptors
{
    /// <summary>In milliseconds.</summary>
    private const int Patience = 30_000;

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
    /// The open descriptors' numbers, less those that the runtime opens when it needs them: assemblies, and the kernel's
    /// files in which its garbage collector reads limits and use of memory.
    /// </summary>
    internal static SortedSet<int> Open()
    {
        // The same twice: what a thread of the runtime has for a moment is in one listing only.
        SortedSet<int> numbers = List(), before;
        do
        {
            before = numbers;
            numbers = List();
        }
        while (!numbers.SetEquals(before));

        return numbers;
    }

    private static SortedSet<int> List()
    {
        var numbers = new SortedSet<int>();
        foreach (string entry in Directory.GetFileSystemEntries("/proc/self/fd"))
        {
            // The listing's own descriptor is gone by now.
            if (TryReadTarget(entry) is { } target && !IsOfTheRuntime(target))
            {
                numbers.Add(int.Parse(Path.GetFileName(entry), CultureInfo.InvariantCulture));
            }
        }

        return numbers;
    }

    /// <summary>Requires that exactly these are open. What a thread of the runtime has for a moment is waited for; what was leaked stays.</summary>
    internal static void RequireOpen(SortedSet<int> expected)
    {
        SortedSet<int> open;
        for (long end = Environment.TickCount64 + Patience; !(open = Open()).SetEquals(expected) && Environment.TickCount64 < end;)
        {
            Thread.Sleep(50); // Nothing tells when one is closed.
        }

        Assert.True(
            open.SetEquals(expected),
            $"open and should not be: {string.Join(", ", open.Except(expected).Select(number => $"{number} ({TryReadTarget($"/proc/self/fd/{number}")})"))}; closed and should not be: {string.Join(", ", expected.Except(open))}");
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

    /// <summary>How many descriptors are of memory files, which the runtime opens none of while tests run.</summary>
    internal static int CountMemoryFiles() =>
        Directory.GetFileSystemEntries("/proc/self/fd")
            .Count(entry => TryReadTarget(entry)?.StartsWith("/memfd:", StringComparison.Ordinal) == true);

    private static bool IsOfTheRuntime(string target) =>
        target.EndsWith(".dll", StringComparison.Ordinal) ||
        target.StartsWith("/proc/", StringComparison.Ordinal) ||
        target.StartsWith("/sys/", StringComparison.Ordinal);

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
