using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_publisher_options and cuframes_packet_publisher_options, and what they stand for.</summary>
internal static unsafe class PublisherSettings
{
    // Three years: beyond it sums of times leave 64 bits.
    private const long LongestNanoseconds = 100_000_000_000_000_000;

    private const uint ReadersOwnUserAndGroup = 0;
    private const uint ReadersEveryone = 1;

    /// <summary>Options that came in; what is zero is the default.</summary>
    /// <param name="native">The options.</param>
    /// <param name="onEvent">Is told what happens.</param>
    /// <param name="context">A context that was opened or borrowed for this publisher, to be disposed after it; null: none.</param>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID, CUDA_UNAVAILABLE, CUDA_CALL_FAILED.</exception>
    /// <exception cref="LibraryException">INVALID_ARGUMENT.</exception>
    public static PublisherOptions Read(in NativePublisherOptions native, Action<PublisherEvent> onEvent, out CudaContext? context)
    {
        PublisherOptions defaults = new();
        ReaderAccess readers = ReadReaders(native.Readers, native.Users, native.UserCount, native.Groups, native.GroupCount);
        FrameMemory memory = ReadMemory(native);
        PublisherOptions options = defaults with
        {
            Directory = NativeText.Read(native.Directory),
            Memory = memory,
            Slots = Count(native.Slots, defaults.Slots),
            MaxSlots = Count(native.MaxSlots, defaults.MaxSlots),
            MaxSubscribers = Count(native.MaxSubscribers, defaults.MaxSubscribers),
            MaxLeases = Count(native.MaxLeases, defaults.MaxLeases),
            MemoryLimit = native.MemoryLimit,
            ShrinkAfter = Time(native.ShrinkAfter, defaults.ShrinkAfter),
            LeaseTimeout = Time(native.LeaseTimeout, defaults.LeaseTimeout),
            LosslessTimeout = Time(native.LosslessTimeout, defaults.LosslessTimeout),
            Program = NativeText.Read(native.Program) ?? ProgramName.OfProcess,
            Source = NativeText.Read(native.Source) ?? "",
            Readers = readers,
            OnEvent = onEvent,
        };
        context = memory == FrameMemory.Host ? null : OpenContext(native);
        return options with { Cuda = context };
    }

    /// <summary>Options of a publisher of packets; what is zero is the default.</summary>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID.</exception>
    /// <exception cref="LibraryException">INVALID_ARGUMENT.</exception>
    public static PacketPublisherOptions Read(in NativePacketPublisherOptions native, Action<PublisherEvent> onEvent)
    {
        PacketPublisherOptions defaults = new();
        return defaults with
        {
            Directory = NativeText.Read(native.Directory),
            ByteCapacity = native.ByteCapacity == 0 ? defaults.ByteCapacity : native.ByteCapacity,
            MaxPackets = Count(native.MaxPackets, defaults.MaxPackets),
            MaxAge = Time(native.MaxAge, defaults.MaxAge),
            MaxSubscribers = Count(native.MaxSubscribers, defaults.MaxSubscribers),
            Readers = ReadReaders(native.Readers, native.Users, native.UserCount, native.Groups, native.GroupCount),
            Program = NativeText.Read(native.Program) ?? ProgramName.OfProcess,
            Source = NativeText.Read(native.Source) ?? "",
            OnEvent = onEvent,
        };
    }

    private static FrameMemory ReadMemory(in NativePublisherOptions native)
    {
        // enum cuframes_memory.
        FrameMemory memory = native.Memory switch
        {
            0 or 1 => FrameMemory.Host,
            2 => FrameMemory.Cuda,
            3 => FrameMemory.CudaIpc,
            _ => throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                $"memory of the publisher's options is {native.Memory}; it is one of enum cuframes_memory: 1 host, 2 cuda, 3 cuda-ipc."),
        };
        return memory == FrameMemory.Host && native.CudaContext != 0
            ? throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                "A publisher was given a CUDA context for frames in main memory. Set memory to CUFRAMES_MEMORY_CUDA, or leave cuda_context null.")
            : memory;
    }

    private static CudaContext OpenContext(in NativePublisherOptions native)
    {
        if (native.CudaContext != 0)
        {
            return CudaContext.Borrow(native.CudaContext);
        }

        IReadOnlyList<CudaDevice> devices = InitialisedDevices();
        return (uint)native.CudaDevice < (uint)devices.Count
            ? devices[native.CudaDevice].OpenContext()
            : throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                $"cuda_device of the publisher's options is {native.CudaDevice}, and this process sees {devices.Count} CUDA devices, numbered from 0. " +
                "Choose one of them, or check CUDA_VISIBLE_DEVICES and the container's devices.");
    }

    private static IReadOnlyList<CudaDevice> InitialisedDevices()
    {
        CudaDriver.Initialise();
        return CudaDriver.Devices;
    }

    /// <summary>The header's lists are additions: whoever may read by default still may.</summary>
    private static ReaderAccess ReadReaders(uint readers, uint* users, uint userCount, uint* groups, uint groupCount)
    {
        if (readers is not (ReadersOwnUserAndGroup or ReadersEveryone))
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                $"readers of the publisher's options is {readers}; it is one of enum cuframes_readers: 0 own user and group, 1 everyone.");
        }

        uint[] listedUsers = Ids(users, userCount, "users");
        uint[] listedGroups = Ids(groups, groupCount, "groups");
        return readers == ReadersEveryone
            ? ReaderAccess.Everyone
            : new ReaderAccess { Users = listedUsers, Groups = listedUsers.Length + listedGroups.Length > 0 ? [OwnGroup(), .. listedGroups] : [] };
    }

    private static uint[] Ids(uint* ids, uint count, string what) => count == 0
        ? []
        : ids != null
            ? new ReadOnlySpan<uint>(ids, checked((int)Math.Min(count, int.MaxValue))).ToArray()
            : throw new LibraryException(LibraryError.InvalidArgument, $"{what} of the publisher's options is null, and there are to be {count} ids.");

    /// <summary>The primary group, as the kernel tells peers.</summary>
    private static uint OwnGroup()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
        using (first)
        using (second)
        {
            return first.GetPeerCredentials().GroupId;
        }
    }

    private static int Count(uint value, int otherwise) => value == 0 ? otherwise : (int)Math.Min(value, int.MaxValue);

    /// <summary>Nanoseconds, rounded up to the 100 that a <see cref="TimeSpan"/> counts. Negative ones are the publisher's to refuse.</summary>
    private static TimeSpan Time(long nanoseconds, TimeSpan otherwise) => nanoseconds switch
    {
        0 => otherwise,
        < 0 => TimeSpan.FromTicks(-1),
        _ => TimeSpan.FromTicks((Math.Min(nanoseconds, LongestNanoseconds) + 99) / 100),
    };
}
