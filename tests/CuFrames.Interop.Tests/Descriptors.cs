using System.Globalization;
using Xunit;

namespace CuFrames.Interop.Tests;

/// <summary>Counts this process's descriptors and makes them scarce.</summary>
internal static unsafe class Descriptors
{
    /// <summary>The open descriptors' numbers, less the one that listing needs.</summary>
    internal static SortedSet<int> Open()
    {
        var numbers = new SortedSet<int>();
        foreach (string entry in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            numbers.Add(int.Parse(Path.GetFileName(entry), CultureInfo.InvariantCulture));
        }

        // The listing's own descriptor is closed by now.
        numbers.RemoveWhere(number => TestLibC.GetDescriptorFlags(number, TestLibC.F_GETFD, 0) < 0);
        return numbers;
    }

    /// <summary>Runs an action while exactly this many descriptors are to be had.</summary>
    internal static void WithFree(int free, Action action)
    {
        SortedSet<int> open = Open();
        int limit = 0;
        for (int left = free; left > 0 || open.Contains(limit); limit++)
        {
            left -= open.Contains(limit) ? 0 : 1;
        }

        TestLibC.Limit before;
        Assert.Equal(0, TestLibC.GetLimit(TestLibC.RLIMIT_NOFILE, &before));
        var lowered = new TestLibC.Limit { Soft = (ulong)limit, Hard = before.Hard };
        Assert.Equal(0, TestLibC.SetLimit(TestLibC.RLIMIT_NOFILE, &lowered));
        try
        {
            action();
        }
        finally
        {
            Assert.Equal(0, TestLibC.SetLimit(TestLibC.RLIMIT_NOFILE, &before));
        }
    }

    /// <summary>Whether a descriptor is closed on exec.</summary>
    internal static bool IsCloseOnExec(FileDescriptor descriptor) =>
        (Internal.LibC.Fcntl(descriptor, TestLibC.F_GETFD, 0) & TestLibC.FD_CLOEXEC) != 0;
}
