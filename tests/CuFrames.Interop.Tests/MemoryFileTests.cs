using CuFrames.Interop.Internal;
using Xunit;

namespace CuFrames.Interop.Tests;

public unsafe class MemoryFileTests
{
    private const int Size = 8192;
    private const byte Original = 0x5A;
    private const MemoryFileSeals ReaderSeals =
        MemoryFileSeals.Seal | MemoryFileSeals.Shrink | MemoryFileSeals.Grow | MemoryFileSeals.FutureWrite;

    /// <summary>The ways to change a memory file of which one has the descriptor.</summary>
    public enum Attack
    {
        MapWritable,
        UpgradeMapping,
        Write,
        WriteAtOffset,
        WritePastEnd,
        ReopenAndWrite,
        ReopenAndMapWritable,
        ReopenAndTruncate,
        Shorten,
        Lengthen,
        PunchHole,
        ExtendByAllocation,
        RemovePages,
        WriteProcessMemory,
        AddSeal,
    }

    public static TheoryData<MemoryFileSeals, Attack, bool> Table()
    {
        // Which attack is refused by which seal. Every other combination must work, or the test of the attack is worth
        // nothing.
        var refused = new Dictionary<MemoryFileSeals, Attack[]>
        {
            [MemoryFileSeals.None] = [],
            [MemoryFileSeals.Seal] = [Attack.AddSeal],
            [MemoryFileSeals.Shrink] = [Attack.Shorten, Attack.ReopenAndTruncate],
            [MemoryFileSeals.Grow] = [Attack.Lengthen, Attack.WritePastEnd, Attack.ExtendByAllocation],
            [MemoryFileSeals.Write] = WritingAttacks(),
            [MemoryFileSeals.FutureWrite] = WritingAttacks(),
            [ReaderSeals] =
            [
                .. WritingAttacks(), Attack.Shorten, Attack.ReopenAndTruncate, Attack.Lengthen, Attack.ExtendByAllocation,
                Attack.AddSeal,
            ],
        };
        var table = new TheoryData<MemoryFileSeals, Attack, bool>();
        foreach ((MemoryFileSeals seals, Attack[] attacks) in refused)
        {
            foreach (Attack attack in Enum.GetValues<Attack>())
            {
                table.Add(seals, attack, attacks.Contains(attack));
            }
        }

        return table;
    }

    [Theory]
    [MemberData(nameof(Table))]
    public void A_seal_refuses_what_it_must_and_nothing_else(MemoryFileSeals seals, Attack attack, bool isRefused)
    {
        using FileDescriptor file = CreateFilled();
        MemoryFile.AddSeals(file, seals);

        // A reader maps after the seals are set; so does this one.
        using MemoryMapping mapping = MemoryMapping.Map(file, Size, MappingAccess.ReadOnly);
        bool succeeded = Try(attack, file, mapping);

        Assert.Equal(!isRefused, succeeded);
        if (isRefused)
        {
            Assert.Equal(Size, file.Stat().Size);
            AssertUnchanged(file);
            AssertUnchanged(mapping.ReadOnlySlice(0, Size));
        }
    }

    [Fact]
    public void The_publishers_own_writable_mapping_outlives_the_future_write_seal()
    {
        using FileDescriptor file = CreateFilled();
        using MemoryMapping writer = MemoryMapping.Map(file, Size, MappingAccess.ReadWrite);
        MemoryFile.AddSeals(file, ReaderSeals);
        using MemoryMapping reader = MemoryMapping.Map(file, Size, MappingAccess.ReadOnly);

        writer.Slice(0, Size).Fill(0x17);

        Assert.Equal(-1, reader.ReadOnlySlice(0, Size).IndexOfAnyExcept((byte)0x17));
    }

    [Fact]
    public void A_private_copy_of_a_sealed_file_does_not_reach_the_file()
    {
        using FileDescriptor file = CreateFilled();
        MemoryFile.AddSeals(file, ReaderSeals);
        nint address = LibC.Mmap(
            0, Size, TestLibC.PROT_READ | TestLibC.PROT_WRITE, TestLibC.MAP_PRIVATE, file, 0);
        Assert.NotEqual(LibC.MAP_FAILED, address);
        try
        {
            new Span<byte>((void*)address, Size).Clear();
        }
        finally
        {
            Assert.Equal(0, LibC.Munmap(address, Size));
        }

        AssertUnchanged(file);
    }

    [Fact]
    public void A_new_file_is_zero_sealable_close_on_exec_and_never_executable()
    {
        using FileDescriptor file = MemoryFile.Create("frames of camera ü", Size);
        using MemoryMapping mapping = MemoryMapping.Map(file, Size, MappingAccess.ReadOnly);

        Assert.Equal(Size, file.Stat().Size);
        Assert.True(file.Stat().IsRegularFile);
        Assert.True(Descriptors.IsCloseOnExec(file));
        Assert.Equal(-1, mapping.ReadOnlySlice(0, Size).IndexOfAnyExcept((byte)0));
        Assert.Equal(MemoryFileSeals.None, file.GetSeals() & ~MemoryFileSeals.Execute);
        if (Environment.OSVersion.Version >= new Version(6, 3))
        {
            Assert.Equal(MemoryFileSeals.Execute, file.GetSeals());
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Pages_are_reserved_when_asked_for(bool allocate)
    {
        const long size = 32L << 20;
        using FileDescriptor file = MemoryFile.Create("reserved", size, allocate);
        using FileStream status = new($"/proc/self/fd/{file.Number}", FileMode.Open, FileAccess.Read);

        LibC.StatxBuffer buffer;
        Assert.Equal(0, LibC.Statx(file, string.Empty, LibC.AT_EMPTY_PATH, LibC.STATX_BASIC_STATS, &buffer));
        ulong blocks = *(ulong*)((byte*)&buffer + 48);
        Assert.Equal(allocate ? (ulong)size : 0, blocks * 512);
    }

    [Fact]
    public void A_size_that_no_memory_can_hold_is_an_error_and_kills_nobody()
    {
        SortedSet<int> before = Descriptors.Baseline();

        // Must be refused before anything is allocated: the kernel would kill processes until it fits.
        var exception = Assert.Throws<LinuxException>(() => MemoryFile.Create("too large", long.MaxValue));

        Assert.Equal(Errno.ENOMEM, exception.Errno);
        Assert.Contains("9223372036854775807 bytes", exception.Message, StringComparison.Ordinal);
        Assert.Contains("raise the memory limit", exception.Message, StringComparison.Ordinal);
        Descriptors.RequireOpen(before);
    }

    [Fact]
    public void A_size_that_the_kernel_refuses_is_an_error_and_leaves_no_descriptor()
    {
        // Far above what anything else in this process writes.
        TestLibC.Limit before;
        Assert.Equal(0, TestLibC.GetLimit(TestLibC.RLIMIT_FSIZE, &before));
        var lowered = new TestLibC.Limit { Soft = 1UL << 40, Hard = before.Hard };
        nint handler = TestLibC.SetSignalHandler(TestLibC.SIGXFSZ, TestLibC.SIG_IGN);
        SortedSet<int> open = Descriptors.Baseline();
        Assert.Equal(0, TestLibC.SetLimit(TestLibC.RLIMIT_FSIZE, &lowered));
        try
        {
            var exception = Assert.Throws<LinuxException>(() => MemoryFile.Create("too large", 1L << 41, allocate: false));
            Assert.Equal("ftruncate", exception.Operation);
            Assert.Equal(Errno.EFBIG, exception.Errno);
        }
        finally
        {
            Assert.Equal(0, TestLibC.SetLimit(TestLibC.RLIMIT_FSIZE, &before));
            _ = TestLibC.SetSignalHandler(TestLibC.SIGXFSZ, handler);
        }

        Descriptors.RequireOpen(open);
    }

    [Fact]
    public void The_tightest_control_group_counts()
    {
        using var directory = new TemporaryDirectory();
        string membership = directory.PathOf("cgroup");
        File.WriteAllText(membership, "1:name=systemd:/x\n0::/machine/daemon\n");
        WriteGroup("machine/daemon", "max", 500, 10, 20);
        WriteGroup("machine", "4096000", 3000000, 100000, 200000);
        WriteGroup(string.Empty, "max", 9000000, 0, 0);

        Assert.Equal(
            4096000 - (3000000 - 100000 - 200000), AvailableMemory.ReadControlGroups(membership, directory.Root));

        WriteGroup("machine/daemon", "1000", 500, 10, 20);
        Assert.Equal(1000 - (500 - 10 - 20), AvailableMemory.ReadControlGroups(membership, directory.Root));
        File.WriteAllText(membership, "4:memory:/x\n");
        Assert.Equal(long.MaxValue, AvailableMemory.ReadControlGroups(membership, directory.Root));

        void WriteGroup(string name, string limit, long current, long inactive, long active)
        {
            string path = Directory.CreateDirectory(Path.Combine(directory.Root, name)).FullName;
            File.WriteAllText(Path.Combine(path, "memory.max"), limit + "\n");
            File.WriteAllText(Path.Combine(path, "memory.current"), $"{current}\n");
            File.WriteAllText(
                Path.Combine(path, "memory.stat"), $"anon 7\nfile 9\ninactive_file {inactive}\nactive_file {active}\n");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void An_empty_file_is_refused(long size) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryFile.Create("empty", size));

    [Fact]
    public void A_name_that_the_kernel_would_refuse_or_cut_is_refused()
    {
        Assert.Throws<ArgumentException>(() => MemoryFile.Create(new string('x', 250), 1));
        Assert.Throws<ArgumentException>(() => MemoryFile.Create("a\0b", 1));
        MemoryFile.Create(new string('x', 249), 1).Dispose();
    }

    [Fact]
    public void Missing_seals_are_named()
    {
        using FileDescriptor file = CreateFilled();
        MemoryFile.AddSeals(file, MemoryFileSeals.Grow);

        var exception = Assert.Throws<InvalidDataException>(() => MemoryFile.RequireSeals(file, ReaderSeals));

        Assert.Contains("lacks the seals Seal, Shrink, FutureWrite", exception.Message, StringComparison.Ordinal);
        MemoryFile.AddSeals(file, ReaderSeals);
        MemoryFile.RequireSeals(file, ReaderSeals);
    }

    [Fact]
    public void What_is_no_memory_file_is_refused()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
        using (first)
        using (second)
        using (FileDescriptor directory = FileSystem.TryOpen("/", LibC.O_RDONLY, 0))
        {
            foreach (FileDescriptor descriptor in new[] { first.Descriptor, directory })
            {
                Assert.Throws<InvalidDataException>(() => MemoryFile.RequireSeals(descriptor, ReaderSeals));
                Assert.Throws<InvalidDataException>(() => MemoryMapping.Map(descriptor, 1, MappingAccess.ReadOnly));
                Assert.Equal(Errno.EINVAL, Assert.Throws<LinuxException>(() => descriptor.GetSeals()).Errno);
            }
        }
    }

    [Fact]
    public void A_file_that_is_too_short_is_refused_before_it_can_kill_the_reader()
    {
        using FileDescriptor file = MemoryFile.Create("short", Size);

        var exception = Assert.Throws<InvalidDataException>(
            () => MemoryMapping.Map(file, Size + 1, MappingAccess.ReadOnly));

        Assert.Contains("8192 bytes, 8193 are needed", exception.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryMapping.Map(file, 0, MappingAccess.ReadOnly));
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryMapping.Map(file, -1, MappingAccess.ReadOnly));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, -1)]
    [InlineData(0, Size + 1)]
    [InlineData(Size, 1)]
    [InlineData(Size + 1, 0)]
    [InlineData(long.MaxValue, int.MaxValue)]
    [InlineData(long.MinValue, 1)]
    public void A_part_outside_the_mapping_is_refused(long offset, int length)
    {
        using FileDescriptor file = MemoryFile.Create("bounds", Size);
        using MemoryMapping mapping = MemoryMapping.Map(file, Size, MappingAccess.ReadWrite);

        Assert.Throws<ArgumentOutOfRangeException>(() => mapping.Slice(offset, length).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => mapping.ReadOnlySlice(offset, length).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => (nuint)mapping.PointerTo(offset, length));
    }

    [Fact]
    public void The_bounds_themselves_are_inside()
    {
        using FileDescriptor file = MemoryFile.Create("bounds", Size);
        using MemoryMapping mapping = MemoryMapping.Map(file, Size, MappingAccess.ReadWrite, populate: true);

        Assert.Equal(Size, mapping.Slice(0, Size).Length);
        Assert.Equal(0, mapping.Slice(Size, 0).Length);
        Assert.Equal(mapping.Address + Size - 1, (nuint)mapping.PointerTo(Size - 1, 1));
    }

    [Fact]
    public void A_read_only_mapping_gives_no_writable_part()
    {
        using FileDescriptor file = MemoryFile.Create("read", Size);
        using MemoryMapping mapping = MemoryMapping.Map(file, Size, MappingAccess.ReadOnly);

        Assert.Throws<InvalidOperationException>(() => mapping.Slice(0, 1).Length);
    }

    [Fact]
    public void A_mapping_outlives_its_descriptor_and_is_unmapped_once()
    {
        int mappings = CountMappingsOf("unmapped-once");
        FileDescriptor file = MemoryFile.Create("unmapped-once", Size);
        MemoryMapping mapping = MemoryMapping.Map(file, Size, MappingAccess.ReadWrite);
        file.Dispose();

        mapping.Slice(Size - 1, 1)[0] = 1;

        Assert.Equal(mappings + 1, CountMappingsOf("unmapped-once"));
        mapping.Dispose();
        mapping.Dispose();
        Assert.Equal(mappings, CountMappingsOf("unmapped-once"));
        Assert.Throws<ObjectDisposedException>(() => mapping.Address);
        Assert.Throws<ObjectDisposedException>(() => mapping.ReadOnlySlice(0, 1).Length);
    }

    [Fact]
    public void A_forgotten_mapping_and_descriptor_are_taken_back_by_the_finalizer()
    {
        SortedSet<int> before = Descriptors.Baseline();
        Forget();
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Descriptors.RequireOpen(before);
        Assert.Equal(0, CountMappingsOf("forgotten"));

        static void Forget()
        {
            for (int i = 0; i < 10; i++)
            {
                _ = MemoryMapping.Map(MemoryFile.Create("forgotten", Size), Size, MappingAccess.ReadWrite);
            }

            Assert.Equal(10, CountMappingsOf("forgotten"));
        }
    }

    [Fact]
    public void A_descriptor_is_closed_once_and_a_duplicate_lives_on()
    {
        FileDescriptor file = MemoryFile.Create("original", Size);
        int number = file.Number;
        using FileDescriptor copy = file.Duplicate();
        Assert.NotEqual(number, copy.Number);
        Assert.True(copy.Stat().IsSameFileAs(file.Stat()));
        Assert.True(Descriptors.IsCloseOnExec(copy));

        file.Dispose();
        Assert.Equal(-1, file.Number);
        using FileDescriptor next = MemoryFile.Create("next", Size);
        Assert.Equal(number, next.Number);
        file.Dispose();

        Assert.Equal(Size, next.Stat().Size);
        Assert.Equal(Size, copy.Stat().Size);
        Assert.Throws<ObjectDisposedException>(() => file.Stat());
    }

    private static Attack[] WritingAttacks() =>
    [
        Attack.MapWritable, Attack.UpgradeMapping, Attack.Write, Attack.WriteAtOffset, Attack.WritePastEnd,
        Attack.ReopenAndWrite, Attack.ReopenAndMapWritable, Attack.PunchHole, Attack.RemovePages, Attack.WriteProcessMemory,
    ];

    private static FileDescriptor CreateFilled()
    {
        FileDescriptor file = MemoryFile.Create("attacked", Size);
        using MemoryMapping mapping = MemoryMapping.Map(file, Size, MappingAccess.ReadWrite);
        mapping.Slice(0, Size).Fill(Original);
        return file;
    }

    private static int CountMappingsOf(string name) =>
        File.ReadLines("/proc/self/maps").Count(line => line.Contains($"memfd:{name}", StringComparison.Ordinal));

    private static void AssertUnchanged(FileDescriptor file)
    {
        byte[] content = new byte[Size];
        fixed (byte* bytes = content)
        {
            Assert.Equal(Size, TestLibC.Pread(file, bytes, Size, 0));
        }

        AssertUnchanged(content);
    }

    private static void AssertUnchanged(ReadOnlySpan<byte> content) =>
        Assert.Equal(-1, content.IndexOfAnyExcept(Original));

    /// <summary>Carries an attack out; true if it changed the file or got hold of a way to.</summary>
    private static bool Try(Attack attack, FileDescriptor file, MemoryMapping mapping)
    {
        byte value = 0xEE;
        switch (attack)
        {
            case Attack.MapWritable:
                return TryMapWritable(file);
            case Attack.UpgradeMapping:
                return TryUpgrade(mapping);
            case Attack.Write:
                return LibC.Write(file, &value, 1) == 1;
            case Attack.WriteAtOffset:
                return TestLibC.Pwrite(file, &value, 1, Size / 2) == 1;
            case Attack.WritePastEnd:
                return TestLibC.Pwrite(file, &value, 1, Size) == 1;
            case Attack.ReopenAndWrite:
                using (FileDescriptor again = Reopen(file))
                {
                    return !again.IsInvalid && TestLibC.Pwrite(again, &value, 1, 0) == 1;
                }

            case Attack.ReopenAndMapWritable:
                using (FileDescriptor again = Reopen(file))
                {
                    return !again.IsInvalid && TryMapWritable(again);
                }

            case Attack.ReopenAndTruncate:
                using (FileDescriptor again = Reopen(file))
                {
                    return !again.IsInvalid && LibC.Ftruncate(again, 0) == 0;
                }

            case Attack.Shorten:
                return LibC.Ftruncate(file, Size - 1) == 0;
            case Attack.Lengthen:
                return LibC.Ftruncate(file, Size + 1) == 0;
            case Attack.PunchHole:
                return LibC.Fallocate(
                    file, TestLibC.FALLOC_FL_PUNCH_HOLE | TestLibC.FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;
            case Attack.ExtendByAllocation:
                return LibC.Fallocate(file, 0, 0, Size * 2) == 0;
            case Attack.RemovePages:
                // The kernel takes it from a writable mapping only, so get one first.
                return TryUpgrade(mapping) &&
                    TestLibC.Madvise((nint)mapping.Address, 4096, TestLibC.MADV_REMOVE) == 0;
            case Attack.WriteProcessMemory:
                // /proc/self/mem writes to mappings that have no write permission, as debuggers need it; with a file
                // that could be mapped writable it is enough to upgrade the mapping.
                using (FileDescriptor memory = FileSystem.TryOpen("/proc/self/mem", LibC.O_RDWR, 0))
                {
                    Assert.False(memory.IsInvalid);
                    return TestLibC.Pwrite(memory, &value, 1, (long)mapping.Address) == 1 || TryUpgrade(mapping);
                }

            case Attack.AddSeal:
                // A reader who could seal the file against writing would stop the publisher.
                return LibC.Fcntl(file, LibC.F_ADD_SEALS, (int)MemoryFileSeals.Grow) == 0;
            default:
                throw new ArgumentOutOfRangeException(nameof(attack));
        }
    }

    private static bool TryUpgrade(MemoryMapping mapping)
    {
        if (TestLibC.Mprotect((nint)mapping.Address, Size, TestLibC.PROT_READ | TestLibC.PROT_WRITE) < 0)
        {
            return false;
        }

        *mapping.Pointer = 0xEE;
        return true;
    }

    private static bool TryMapWritable(FileDescriptor file)
    {
        try
        {
            using MemoryMapping mapping = MemoryMapping.Map(file, Size, MappingAccess.ReadWrite);
            mapping.Slice(0, 1)[0] = 0xEE;
            return true;
        }
        catch (LinuxException exception) when (exception.Errno == Errno.EPERM)
        {
            return false;
        }
    }

    private static FileDescriptor Reopen(FileDescriptor file) =>
        FileSystem.TryOpen($"/proc/self/fd/{file.Number}", LibC.O_RDWR, 0);
}
