using CuFrames.Interop;

namespace CuFrames.Cli.Internal;

/// <summary>Tries the features of the kernel that CuFrames stands on. Container runtimes forbid some of them.</summary>
internal static unsafe class KernelChecks
{
    private const int PageSize = 4096;
    private const MemoryFileSeals FrameSeals =
        MemoryFileSeals.Seal | MemoryFileSeals.Shrink | MemoryFileSeals.Grow | MemoryFileSeals.FutureWrite;

    /// <summary>F_SEAL_FUTURE_WRITE came with this version.</summary>
    private static readonly Version OldestKernel = new(5, 1);

    public static IEnumerable<Check> All()
    {
        yield return Kernel();
        yield return Try("sealed memory files", "Update the kernel to 5.1 or later, or let the container's seccomp profile allow memfd_create and fcntl.", SealedMemory);
        yield return Try("passing descriptors", "Let the container's seccomp profile allow socketpair, sendmsg and recvmsg on AF_UNIX.", PassedDescriptor);
        yield return Try("futex on read-only memory", "Let the container's seccomp profile allow futex.", FutexOnReadOnlyMapping);
    }

    private static Check Kernel()
    {
        Version version = Environment.OSVersion.Version;
        return version >= OldestKernel
            ? Check.Ok("kernel", $"Linux {version}")
            : Check.Fail("kernel", $"Linux {version}", $"CuFrames needs {OldestKernel} or later, for memory files that readers cannot write.");
    }

    private static Check Try(string name, string advice, Func<string> attempt)
    {
        try
        {
            return Check.Ok(name, attempt());
        }
        catch (Exception error)
        {
            return Check.Fail(name, error.Message, advice);
        }
    }

    /// <summary>A sealed file keeps its writable mapping and gives nobody another one.</summary>
    private static string SealedMemory()
    {
        using FileDescriptor file = MemoryFile.Create("cuframes-doctor", PageSize);
        using MemoryMapping writable = MemoryMapping.Map(file, PageSize, MappingAccess.ReadWrite);
        MemoryFile.AddSeals(file, FrameSeals);
        using MemoryMapping readable = MemoryMapping.Map(file, PageSize, MappingAccess.ReadOnly);
        try
        {
            MemoryMapping.Map(file, PageSize, MappingAccess.ReadWrite).Dispose();
        }
        catch (LinuxException error) when (error.Errno == Errno.EPERM)
        {
            writable.Slice(0, 1)[0] = 1;
            return readable.ReadOnlySlice(0, 1)[0] == 1
                ? $"memfd with {FrameSeals}: a second writable mapping is refused"
                : throw new InvalidDataException("What is written through one mapping of a memory file is not seen through another.");
        }

        throw new InvalidDataException("The kernel gave a writable mapping of a file with F_SEAL_FUTURE_WRITE: frames would not be protected.");
    }

    private static string PassedDescriptor()
    {
        using FileDescriptor file = MemoryFile.Create("cuframes-doctor", PageSize);
        (UnixSocket one, UnixSocket other) = UnixSocket.CreatePair();
        using (one)
        using (other)
        using (DescriptorSet descriptors = new())
        {
            Span<byte> buffer = stackalloc byte[16];
            SendStatus sent = one.Send([1], [file], timeoutMilliseconds: 1000);
            ReceiveResult received = other.Receive(buffer, descriptors, timeoutMilliseconds: 1000);
            if (sent != SendStatus.Sent || received.Status != ReceiveStatus.Received || descriptors.Count != 1)
            {
                throw new InvalidDataException($"A packet with a descriptor was sent ({sent}) and received ({received.Status}) with {descriptors.Count} descriptors.");
            }

            using FileDescriptor copy = descriptors.Take(0);
            return copy.Stat().IsSameFileAs(file.Stat())
                ? "SOCK_SEQPACKET with SCM_RIGHTS"
                : throw new InvalidDataException("The descriptor that came is of another file than the one sent.");
        }
    }

    /// <summary>A reader sleeps on a mapping that it may only read, and is woken through another one.</summary>
    private static string FutexOnReadOnlyMapping()
    {
        using FileDescriptor file = MemoryFile.Create("cuframes-doctor", PageSize);
        using MemoryMapping writable = MemoryMapping.Map(file, PageSize, MappingAccess.ReadWrite);
        using MemoryMapping readable = MemoryMapping.Map(file, PageSize, MappingAccess.ReadOnly);
        uint* word = (uint*)writable.Pointer;
        FutexWaitResult result = FutexWaitResult.TimedOut;
        Exception? failure = null;
        Thread sleeper = new(() =>
        {
            try
            {
                result = Futex.Wait((uint*)readable.Pointer, 0, timeoutNanoseconds: 2_000_000_000);
            }
            catch (LinuxException error)
            {
                failure = error;
            }
        });
        sleeper.Start();
        long started = MonotonicClock.NowNanoseconds;

        // Until somebody sleeps there is nobody to wake.
        while (sleeper.IsAlive && Futex.Wake(word, 1) == 0)
        {
            Thread.Sleep(1);
        }

        sleeper.Join();
        return (failure, result) switch
        {
            (not null, _) => throw failure,
            (null, FutexWaitResult.Woken) => $"woken through a read-only mapping after {Words.Microseconds((MonotonicClock.NowNanoseconds - started) / 1000.0)}",
            _ => throw new InvalidDataException($"A sleeper on a read-only mapping was not woken: {result}."),
        };
    }
}
