using Xunit;

namespace CuFrames.Interop.Tests;

public sealed class MachineMemoryTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cuframes-memory-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_limit_of_this_machine_is_a_size()
    {
        long total = MachineMemory.ReadTotal("/proc/meminfo");
        Assert.InRange(MachineMemory.ReadLimit(), 1L << 24, total);
    }

    [Theory]
    // The own group has none, one above it has.
    [InlineData("0::/a/b", "a/b/memory.max=max;a/memory.max=1000;memory.max=2000", 1000)]
    [InlineData("0::/", "memory.max=700", 700)]
    // In a container the path is the host's, and the mount point is the own group.
    [InlineData("0::/system.slice/x", "memory.max=900", 900)]
    [InlineData("12:cpu,cpuacct:/x|7:memory:/x/y|0::/", "memory/x/y/memory.limit_in_bytes=9223372036854771712;memory/x/memory.limit_in_bytes=800", 800)]
    [InlineData("3:hugetlb,memory:/", "memory/memory.limit_in_bytes=600;memory.max=5", 600)]
    [InlineData("5:cpu:/x", "memory.max=5;memory/memory.limit_in_bytes=6", long.MaxValue)]
    public void Control_groups_of_both_versions_are_found(string membership, string files, long limit)
    {
        string list = Path.Combine(_folder.FullName, "cgroup");
        File.WriteAllText(list, membership.Replace('|', '\n') + "\n");
        string mount = Path.Combine(_folder.FullName, "fs");
        foreach (string file in files.Split(';'))
        {
            string[] parts = file.Split('=');
            string path = Path.Combine(mount, parts[0]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, parts[1] + "\n");
        }

        Assert.Equal(limit, MachineMemory.ReadControlGroupLimit(list, mount));
    }
}
