using System.Runtime.InteropServices;

namespace CuFrames.Interop.Tests;

/// <summary>Calls that only tests need: attacks on memory files, limits, signals, users.</summary>
internal static unsafe partial class TestLibC
{
    internal const int PROT_READ = 1;
    internal const int PROT_WRITE = 2;
    internal const int MAP_PRIVATE = 2;
    internal const int MADV_REMOVE = 9;
    internal const int FALLOC_FL_KEEP_SIZE = 1;
    internal const int FALLOC_FL_PUNCH_HOLE = 2;
    internal const int RLIMIT_FSIZE = 1;
    internal const int RLIMIT_NOFILE = 7;
    internal const int F_GETFD = 1;
    internal const int FD_CLOEXEC = 1;
    internal const int SIGXFSZ = 25;
    internal const int SIGWINCH = 28;
    internal const nint SIG_IGN = 1;

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    internal static partial int Mprotect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    internal static partial int Madvise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    internal static partial nint Pwrite(FileDescriptor file, void* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    internal static partial nint Pread(FileDescriptor file, void* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    internal static partial int GetLimit(int resource, Limit* limit);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    internal static partial int SetLimit(int resource, Limit* limit);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int DescriptorControl(int descriptor, int command, int argument);

    [LibraryImport("libc", EntryPoint = "umask")]
    internal static partial uint Umask(uint mask);

    [LibraryImport("libc", EntryPoint = "gettid")]
    internal static partial int GetThreadId();

    [LibraryImport("libc", EntryPoint = "tgkill", SetLastError = true)]
    internal static partial int SignalThread(int process, int thread, int signal);

    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    internal static partial nint SetSignalHandler(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    internal static partial uint GetEffectiveUserId();

    [LibraryImport("libc", EntryPoint = "getegid")]
    internal static partial uint GetEffectiveGroupId();

    [LibraryImport("libc", EntryPoint = "setgroups", SetLastError = true)]
    internal static partial int SetGroups(nuint count, uint* groups);

    [LibraryImport("libc", EntryPoint = "setgid", SetLastError = true)]
    internal static partial int SetGroupId(uint group);

    [LibraryImport("libc", EntryPoint = "setuid", SetLastError = true)]
    internal static partial int SetUserId(uint user);

    /// <summary>struct rlimit.</summary>
    internal struct Limit
    {
        internal ulong Soft;
        internal ulong Hard;
    }
}
