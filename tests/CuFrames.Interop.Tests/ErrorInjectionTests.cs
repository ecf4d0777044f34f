using Xunit;

namespace CuFrames.Interop.Tests;

/// <summary>
/// Every operation that opens descriptors is run with 0, 1, 2, … descriptors left until it succeeds. Each failure
/// must be a clear EMFILE and leave nothing behind, neither descriptors nor paths.
/// </summary>
public sealed class ErrorInjectionTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string, int> Operations() => new()
    {
        // The descriptors that each needs for success.
        { "memory file", 1 },
        { "duplicate", 1 },
        { "pair", 2 },
        { "event loop", 2 },
        { "lock", 1 },
        { "holder of a lock", 1 },
        { "listen", 1 },
        { "listen with a umask", 2 },
        { "listen at a long path", 2 },
        { "connect", 1 },
        { "connect to a long path", 2 },
        { "accept", 1 },
        { "notify", 1 },
    };

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Operations))]
    public void A_process_without_descriptors_gets_an_error_and_loses_nothing(string operation, int needed)
    {
        using FileDescriptor file = MemoryFile.Create("present", 4096);
        string path = _directory.PathOf("short.sock");
        string longPath = _directory.PathOf(new string('l', 130));
        using UnixSocket listener = UnixSocket.Listen(path, 100, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using UnixSocket longListener = UnixSocket.Listen(longPath, 100, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using UnixSocket waiting = UnixSocket.Connect(path, 0);
        File.WriteAllText(_directory.PathOf("held"), "1\n");
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", _directory.PathOf("notify"));
        SystemdNotifier notifier = SystemdNotifier.FromEnvironment();
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", null);

        // Once beforehand, so that the runtime has loaded what it needs.
        Perform(operation, path, longPath, file, listener, notifier);
        using UnixSocket waitingAgain = UnixSocket.Connect(path, 0);
        SortedSet<int> before = Descriptors.Baseline();
        string[] entries = Directory.GetFileSystemEntries(_directory.Root);
        for (int free = 0; free <= needed; free++)
        {
            Exception? exception = null;
            Descriptors.WithFree(free, () => exception = Record.Exception(
                () => Perform(operation, path, longPath, file, listener, notifier)));

            if (free == needed)
            {
                Assert.Null(exception);
            }
            else
            {
                LinuxException linux = Assert.IsType<LinuxException>(exception);
                Assert.Equal(Errno.EMFILE, linux.Errno);
                Assert.Contains("raise LimitNOFILE=", linux.Message, StringComparison.Ordinal);
            }

            Descriptors.RequireOpen(before);
            Assert.Equal(entries.Order(), Directory.GetFileSystemEntries(_directory.Root).Order());
        }
    }

    [Theory]
    [InlineData("memory file")]
    [InlineData("event loop")]
    [InlineData("lock")]
    [InlineData("listen")]
    public void A_thousand_failures_leave_as_much_as_none(string operation)
    {
        using FileDescriptor file = MemoryFile.Create("present", 4096);
        string path = _directory.PathOf("none/x");
        SystemdNotifier notifier = SystemdNotifier.FromEnvironment();
        using UnixSocket listener = UnixSocket.Listen(_directory.PathOf("l"), 1, UnixFileMode.UserRead);
        _ = Record.Exception(() => Perform(operation, path, path, file, listener, notifier));
        SortedSet<int> before = Descriptors.Baseline();
        int mappings = ProcessFacts.CountMappings();
        for (int i = 0; i < 1000; i++)
        {
            Descriptors.WithFree(i % 2, () => _ = Record.Exception(
                () => Perform(operation, path, path, file, listener, notifier)));
        }

        Descriptors.RequireOpen(before);

        // The heap may take some mappings meanwhile, but not one for each round.
        Assert.InRange(ProcessFacts.CountMappings(), 0, mappings + 500);
    }

    private void Perform(
        string operation, string path, string longPath, FileDescriptor file, UnixSocket listener, SystemdNotifier notifier)
    {
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherWrite;
        switch (operation)
        {
            case "memory file":
                MemoryFile.Create("injected", 4096).Dispose();
                break;
            case "duplicate":
                file.Duplicate().Dispose();
                break;
            case "pair":
                (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
                first.Dispose();
                second.Dispose();
                break;
            case "event loop":
                new EventLoop().Dispose();
                break;
            case "lock":
                FileLock.TryAcquire(path + ".lock")!.Dispose();
                break;
            case "holder of a lock":
                Assert.Equal(1, FileLock.ReadHolder(_directory.PathOf("held")));
                break;
            case "listen":
                UnixSocket.Listen(path + ".new", 1, UnixFileMode.UserRead).Dispose();
                break;
            case "listen with a umask":
                uint umask = TestLibC.Umask(0x3F);
                try
                {
                    UnixSocket.Listen(path + ".new", 1, mode).Dispose();
                }
                finally
                {
                    _ = TestLibC.Umask(umask);
                }

                break;
            case "listen at a long path":
                UnixSocket.Listen(longPath + ".new", 1, UnixFileMode.UserRead).Dispose();
                break;
            case "connect":
                UnixSocket.Connect(path, 0).Dispose();
                break;
            case "connect to a long path":
                UnixSocket.Connect(longPath, 0).Dispose();
                break;
            case "accept":
                Assert.True(listener.TryAccept(out UnixSocket? accepted));
                accepted.Dispose();
                break;
            case "notify":
                // Nobody is there: with a descriptor it gets as far as ENOENT.
                var exception = Assert.Throws<LinuxException>(() => notifier.Watchdog());
                if (exception.Errno != Errno.ENOENT)
                {
                    throw exception;
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(operation));
        }
    }
}
