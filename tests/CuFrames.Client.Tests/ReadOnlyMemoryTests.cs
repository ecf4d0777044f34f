using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Interop;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>A subscriber tries every way to write to the control block and to frames, with the descriptors that a publisher really sends.</summary>
public unsafe partial class ReadOnlyMemoryTests
{
    private const int ProtRead = 1;
    private const int ProtWrite = 2;
    private const int MapShared = 1;
    private const int FallocKeepSizePunchHole = 3;
    private const int AddSeals = 1033;
    private const int ReadWrite = 2;
    private const int Remove = 9;

    [Fact]
    public void No_way_leads_to_a_writable_control_block_or_frame()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 4 });
        stream.Publish(3);
        using RawSubscriber raw = new RawSubscriber(stream.Directory.Path, TestStream.Key).Join().TakeSegment();
        using FrameSubscriber subscriber = stream.Connect();
        using Frame frame = subscriber.Next(TimeSpan.FromSeconds(90));
        foreach (FileDescriptor file in (FileDescriptor[])[raw.ControlFile!, raw.SegmentFiles[0]])
        {
            int number = file.Number;
            byte[] before = Content(number);
            Assert.Equal(-1, Map(0, 4096, ProtRead | ProtWrite, MapShared, number, 0));
            Assert.Equal(-1, Map(0, 4096, ProtWrite, MapShared, number, 0));
            nint readOnly = Map(0, 4096, ProtRead, MapShared, number, 0);
            Assert.NotEqual(-1, readOnly);
            Assert.True(Protect(readOnly, 4096, ProtRead | ProtWrite) < 0, "mprotect");
            Assert.True(Advise(readOnly, 4096, Remove) < 0, "madvise(MADV_REMOVE)");
            Assert.Equal(0, Unmap(readOnly, 4096));
            byte value = 0x55;
            Assert.True(Write(number, &value, 1) < 0, "write");
            Assert.True(PositionedWrite(number, &value, 1, 0) < 0, "pwrite");
            Assert.True(Truncate(number, 0) < 0, "ftruncate to 0");
            Assert.True(Truncate(number, before.Length * 2L) < 0, "ftruncate to more");
            Assert.True(Allocate(number, FallocKeepSizePunchHole, 0, 4096) < 0, "fallocate(PUNCH_HOLE)");
            Assert.True(Allocate(number, 0, before.Length, 4096) < 0, "fallocate to more");
            Assert.True(Control(number, AddSeals, 8) < 0, "another seal");

            // Reopened through /proc it is a new open file, to which the same seals apply.
            foreach (string path in (string[])[$"/proc/self/fd/{number}", $"/proc/{Environment.ProcessId}/fd/{number}"])
            {
                int again = Open(path, ReadWrite);
                if (again < 0)
                {
                    continue;
                }

                Assert.Equal(-1, Map(0, 4096, ProtRead | ProtWrite, MapShared, again, 0));
                Assert.True(PositionedWrite(again, &value, 1, 0) < 0, "pwrite to the reopened file");
                Assert.True(Truncate(again, 0) < 0, "ftruncate of the reopened file");
                Assert.Equal(0, Close(again));
            }

            Assert.Equal(before, Content(number));
        }

        Assert.True(frame.IsValid);
        Assert.Null(StampedFrames.FindFault(frame));
    }

    [Fact]
    public void Another_user_does_not_reach_the_publishers_descriptors()
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test changes users and has to run as root.");
        using TestStream stream = new(TestStream.Small);
        stream.Publish();
        using RawSubscriber raw = new RawSubscriber(stream.Directory.Path, TestStream.Key).Join().TakeSegment();
        foreach (FileDescriptor file in (FileDescriptor[])[raw.ControlFile!, raw.SegmentFiles[0], raw.PageFile!])
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{file.Number}");
            using System.Diagnostics.Process thief = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("setpriv")
            {
                ArgumentList = { "--reuid", "54321", "--regid", "54322", "--clear-groups", "sh", "-c", $"exec 3<>{path}" },
                RedirectStandardError = true,
            })!;
            string error = thief.StandardError.ReadToEnd();
            thief.WaitForExit();
            Assert.NotEqual(0, thief.ExitCode);
            Assert.Contains("ermission denied", error, StringComparison.Ordinal);
        }
    }

    private static byte[] Content(int number)
    {
        // The statistics' part of the control block does not change while nobody publishes.
        using FileStream stream = new($"/proc/self/fd/{number}", FileMode.Open, FileAccess.Read);
        byte[] content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int file, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static partial nint PositionedWrite(int file, void* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    private static partial int Truncate(int file, long length);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Allocate(int file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int file, int command, int argument);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);
}
