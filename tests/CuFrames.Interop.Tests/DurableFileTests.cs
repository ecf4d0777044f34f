using System.Text;
using Xunit;

namespace CuFrames.Interop.Tests;

public sealed class DurableFileTests : IDisposable
{
    private const uint Mode = 0b110_000_000;

    private readonly TemporaryDirectory _directory = new();
    private readonly string _path;

    public DurableFileTests() => _path = _directory.PathOf("state.yaml");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_content_is_replaced_whole_and_nothing_is_left_beside_it()
    {
        SortedSet<int> before = Descriptors.Baseline();
        foreach (int length in (int[])[0, 1, 100_000, 7])
        {
            byte[] content = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
            DurableFile.Replace(_path, content, Mode);
            Assert.Equal(content, File.ReadAllBytes(_path));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_path));
        }

        Assert.Equal([_path], Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(_path)!));
        Descriptors.RequireOpen(before);
    }

    [Fact]
    public void What_a_crash_left_beside_it_is_overwritten()
    {
        File.WriteAllText(_path + DurableFile.PartSuffix, new string('x', 1000));
        File.SetUnixFileMode(_path + DurableFile.PartSuffix, (UnixFileMode)0b110_110_110);
        DurableFile.Replace(_path, "new"u8, Mode);
        Assert.Equal("new", File.ReadAllText(_path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_path));
        Assert.Equal([_path], Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(_path)!));
    }

    [Fact]
    public void An_error_leaves_the_old_content_and_nothing_else()
    {
        DurableFile.Replace(_path, "old"u8, Mode);
        LinuxException missing = Assert.Throws<LinuxException>(() => DurableFile.Replace(_directory.PathOf("none/state.yaml"), "new"u8, Mode));
        Assert.Equal(Errno.ENOENT, missing.Errno);

        // A directory cannot be replaced by a file: the last step fails.
        Directory.CreateDirectory(_directory.PathOf("folder"));
        LinuxException folder = Assert.Throws<LinuxException>(() => DurableFile.Replace(_directory.PathOf("folder"), "new"u8, Mode));
        Assert.Equal(Errno.EISDIR, folder.Errno);
        Assert.False(File.Exists(_directory.PathOf("folder") + DurableFile.PartSuffix));

        // A link in the place of the new content would make it write where somebody else wants it to.
        File.CreateSymbolicLink(_path + DurableFile.PartSuffix, _directory.PathOf("elsewhere"));
        Assert.Equal(Errno.ELOOP, Assert.Throws<LinuxException>(() => DurableFile.Replace(_path, "new"u8, Mode)).Errno);
        Assert.False(File.Exists(_directory.PathOf("elsewhere")));
        Assert.Equal("old", File.ReadAllText(_path));
    }

    [Fact]
    public void Callers_side_by_side_leave_the_content_of_one_of_them()
    {
        DurableFile.Replace(_path, Encoding.ASCII.GetBytes(new string('a', 10_000)), Mode);
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, writer =>
        {
            byte[] content = Encoding.ASCII.GetBytes(new string((char)('a' + writer), 10_000 + writer));
            for (int i = 0; i < 50; i++)
            {
                try
                {
                    DurableFile.Replace(_path, content, Mode);
                }
                catch (LinuxException error) when (error.Errno == Errno.EAGAIN)
                {
                    // Another one writes.
                }

                string found = File.ReadAllText(_path);
                Assert.True(found.Length > 0 && found == new string(found[0], 10_000 + found[0] - 'a'), $"{found.Length} characters, mixed");
            }
        });
    }

    [Fact]
    public void Files_can_be_made_in_a_directory_that_is_there()
    {
        Assert.True(DurableFile.MayWriteIn(Path.GetDirectoryName(_path)!));
        Assert.False(DurableFile.MayWriteIn(_directory.PathOf("none")));
        File.WriteAllText(_path, "");
        Assert.False(DurableFile.MayWriteIn(_path));
    }
}
