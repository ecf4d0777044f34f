using System.Globalization;
using CuFrames.Interop.Internal;
using Xunit;

namespace CuFrames.Interop.Tests;

public sealed class FileLockTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly string _path;

    public FileLockTests() => _path = _directory.PathOf("camera.lock");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_lock_is_held_by_one_and_names_its_holder()
    {
        SortedSet<int> before = Descriptors.Baseline();
        FileLock? first = FileLock.TryAcquire(_path);
        Assert.NotNull(first);
        Assert.Equal(_path, first.FilePath);
        Assert.Null(FileLock.TryAcquire(_path));
        Assert.Equal(Environment.ProcessId, FileLock.ReadHolder(_path));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite,
            File.GetUnixFileMode(_path) & (UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherWrite));
        first.Dispose();
        first.Dispose();
        Assert.False(File.Exists(_path));
        Assert.Null(FileLock.ReadHolder(_path));
        FileLock? second = FileLock.TryAcquire(_path);
        Assert.NotNull(second);
        second.Dispose();
        Descriptors.RequireOpen(before);
    }

    [Fact]
    public void Another_process_does_not_get_it_either()
    {
        using FileLock? taken = FileLock.TryAcquire(_path);
        using ChildProcess child = ChildProcess.Start("lock", _path);

        Assert.Equal("taken by another", child.ReadLine());
    }

    [Fact]
    public void The_kernel_drops_the_lock_of_a_killed_process()
    {
        for (int round = 0; round < 5; round++)
        {
            using ChildProcess child = ChildProcess.Start("lock", _path);
            Assert.Equal("locked", child.ReadLine());
            Assert.Null(FileLock.TryAcquire(_path));
            Assert.Equal(child.Id, FileLock.ReadHolder(_path));

            child.Kill();

            // The file stays behind, with the dead holder's id; the lock does not.
            Assert.Equal(child.Id, FileLock.ReadHolder(_path));
            using FileLock? taken = FileLock.TryAcquire(_path);
            Assert.NotNull(taken);
            Assert.Equal(Environment.ProcessId, FileLock.ReadHolder(_path));
        }
    }

    [Fact]
    public void Never_do_two_hold_it_while_it_is_taken_and_given_up()
    {
        const int threads = 4;
        int holders = 0;
        int violations = 0;
        int acquired = 0;
        BackgroundThread[] contenders = new BackgroundThread[threads];
        for (int i = 0; i < threads; i++)
        {
            contenders[i] = BackgroundThread.Start(() =>
            {
                while (Volatile.Read(ref acquired) < 3_000)
                {
                    using FileLock? taken = FileLock.TryAcquire(_path);
                    if (taken is not null)
                    {
                        // Who locked a file that the former holder has just removed sees no path here.
                        int now = Interlocked.Increment(ref holders);
                        if (now > 1 || FileSystem.TryStat(_path) is null)
                        {
                            Interlocked.Increment(ref violations);
                        }

                        Interlocked.Increment(ref acquired);
                        Interlocked.Decrement(ref holders);
                    }
                }
            });
        }

        foreach (BackgroundThread contender in contenders)
        {
            contender.Join();
        }

        Assert.Equal(0, violations);
        Assert.Equal(0, holders);
    }

    [Fact]
    public void Dispose_leaves_a_file_alone_that_is_not_its_own()
    {
        using FileLock? taken = FileLock.TryAcquire(_path);
        Assert.NotNull(taken);
        File.Delete(_path);
        File.WriteAllText(_path, "another");

        taken.Dispose();

        Assert.Equal("another", File.ReadAllText(_path));
    }

    [Fact]
    public void A_link_is_refused_and_what_it_names_is_untouched()
    {
        string precious = _directory.PathOf("precious");
        File.WriteAllText(precious, "content");
        File.CreateSymbolicLink(_path, precious);

        var exception = Assert.Throws<LinuxException>(() => FileLock.TryAcquire(_path));

        Assert.Equal(Errno.ELOOP, exception.Errno);
        Assert.Equal("content", File.ReadAllText(precious));
        Assert.Equal(Errno.ELOOP, Assert.Throws<LinuxException>(() => FileLock.ReadHolder(_path)).Errno);
    }

    [Fact]
    public void A_missing_directory_is_a_clear_error()
    {
        string path = _directory.PathOf("none/camera.lock");

        var exception = Assert.Throws<LinuxException>(() => FileLock.TryAcquire(path));

        Assert.Equal(Errno.ENOENT, exception.Errno);
        Assert.Equal("open", exception.Operation);
        Assert.Contains("create the directory first", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("12", 12)]
    [InlineData("4194304\n", 4194304)]
    [InlineData("-5\n", null)]
    [InlineData("x12\n", null)]
    [InlineData("99999999999999999999999\n", null)]
    public void Any_content_can_be_asked_for_its_holder(string content, int? holder)
    {
        File.WriteAllText(_path, content);

        Assert.Equal(holder, FileLock.ReadHolder(_path));
    }

    [Fact]
    public void A_longer_text_of_a_former_holder_is_replaced_whole()
    {
        File.WriteAllText(_path, "4194304 and more\n");
        using FileLock? taken = FileLock.TryAcquire(_path);
        Assert.NotNull(taken);

        // Read it as others do who know nothing of .NET's own locks on files.
        using FileDescriptor file = FileSystem.TryOpen(_path, LibC.O_RDONLY, 0);
        Assert.Equal(Environment.ProcessId.ToString(CultureInfo.InvariantCulture).Length + 1, file.Stat().Size);
        Assert.Equal(Environment.ProcessId, FileLock.ReadHolder(_path));
    }
}
