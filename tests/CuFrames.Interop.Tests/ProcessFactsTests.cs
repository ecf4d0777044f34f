using Xunit;

namespace CuFrames.Interop.Tests;

public class ProcessFactsTests
{
    private const int Size = 8 << 20;

    [Fact]
    public void Descriptors_mappings_and_memory_are_counted()
    {
        const int count = 100;
        using FileDescriptor file = MemoryFile.Create("counted", Size);
        var duplicates = new List<FileDescriptor>();
        int descriptors = ProcessFacts.CountOpenDescriptors();
        for (int i = 0; i < count; i++)
        {
            duplicates.Add(file.Duplicate());
        }

        // The runtime may load an assembly meanwhile, hence no exact figure, here and below.
        Assert.InRange(ProcessFacts.CountOpenDescriptors() - descriptors, count, count + 5);
        duplicates.ForEach(duplicate => duplicate.Dispose());
        Assert.InRange(ProcessFacts.CountOpenDescriptors() - descriptors, 0, 5);

        var mappings = new List<MemoryMapping>();
        int before = ProcessFacts.CountMappings();
        for (int i = 0; i < count; i++)
        {
            mappings.Add(MemoryMapping.Map(file, Size, i % 2 == 0 ? MappingAccess.ReadOnly : MappingAccess.ReadWrite));
        }

        // The kernel may join neighbours of one kind.
        Assert.InRange(ProcessFacts.CountMappings() - before, count / 2, count * 2);

        long resident = ProcessFacts.ReadResidentBytes();
        mappings[1].Slice(0, Size).Fill(1);
        Assert.InRange(ProcessFacts.ReadResidentBytes() - resident, Size / 2, Size * 8L);
        mappings.ForEach(mapping => mapping.Dispose());
    }

    [Fact]
    public void The_clocks_run_in_nanoseconds()
    {
        long monotonic = MonotonicClock.NowNanoseconds;
        long uptime = (long)(double.Parse(
            File.ReadAllText("/proc/uptime").Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture) * 1e9);

        // /proc/uptime counts suspended time too; on a machine that never slept the two agree to within its 10 ms.
        Assert.True(monotonic <= uptime + 20_000_000);
        Assert.True(MonotonicClock.NowNanoseconds >= monotonic);
        long wall = (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
        Assert.InRange(WallClock.NowNanoseconds - wall, -1_000_000_000, 60_000_000_000);
    }
}
