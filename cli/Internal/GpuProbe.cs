using System.Globalization;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>
/// Tries on one GPU what frames in device memory stand on, step by step, with a second process where two are needed. Runs in a process of
/// its own, because a driver may hang or crash in any of it.
/// </summary>
internal sealed unsafe class GpuProbe : IDisposable
{
    /// <summary>Longest wait for the second process, which opens a context of its own.</summary>
    private static readonly TimeSpan ReaderPatience = TimeSpan.FromSeconds(10);

    /// <summary>Bytes shared with the second process: the usual granularity of device memory, so that nothing is rounded.</summary>
    private const int SharedBytes = 2 << 20;

    private const int PageSize = 4096;

    private static readonly Step[] Steps =
    [
        new("", "Nothing can be published or read in this GPU's memory.", IsNeeded: true, probe => [probe.Identity()]),
        new("vmm", "Frames cannot be shared by descriptors (memory cuda) on this GPU; try legacy handles (memory cuda-ipc), or use host memory.", IsNeeded: true,
            probe => [probe.Descriptors()]),
        new("legacy ipc", "Only memory cuda-ipc needs it: use memory cuda, the default for GPUs.", IsNeeded: false, probe => [probe.LegacyHandles()]),
        new("host registration", "Readers release frames by event (fence EVENT) or after waiting for their GPU work (fence CPU).", IsNeeded: false, probe => [probe.HostRegistration()]),
        new("stream writes", "Readers release frames by event (fence EVENT) or after waiting for their GPU work (fence CPU).", IsNeeded: false, probe => [probe.StreamWrites()]),
        new("ipc events", "Readers release frames by stream write (fence STREAM) or after waiting for their GPU work (fence CPU).", IsNeeded: false, probe => [probe.IpcEvents()]),
        new("nvdec", "Cameras are decoded in software and uploaded.", IsNeeded: false, probe => probe.Nvdec()),
    ];

    private readonly CudaDevice _device;
    private CudaContext? _context;
    private CudaStream? _stream;

    public GpuProbe(CudaDevice device) => _device = device;

    public static int StepCount => Steps.Length;

    /// <summary>Whether the context is broken: only a new process can go on.</summary>
    public bool IsBroken { get; private set; }

    private CudaContext Context => _context ??= _device.OpenContext();

    private CudaStream Stream => _stream ??= CudaStream.Create(Context);

    /// <summary>The check of a step that came to nothing.</summary>
    public static Check Failed(GpuDevice device, int step, string found, string? advice = null)
    {
        string name = NameOf(device.Ordinal, step);
        advice ??= Steps[step].Consequence;
        return (Steps[step].IsNeeded ? Check.Fail(name, found, advice) : Check.Warn(name, found, advice)) with { Device = device.Uuid };
    }

    /// <summary>The check of a step that hung or ended its process.</summary>
    public static Check Lost(GpuDevice device, int step, string failure) =>
        Check.Fail(
            NameOf(device.Ordinal, step), $"the process that tried it {failure}",
            "The driver or the GPU is at fault: look at nvidia-smi and the kernel's log (dmesg, NVRM), then restart the machine or update the driver.") with
        {
            Device = device.Uuid,
        };

    public GpuAnswer Run(int step)
    {
        try
        {
            return new GpuAnswer(step, [.. Steps[step].Try(this).Select(check => check with { Device = _device.UuidText })]);
        }
        catch (Exception error)
        {
            IsBroken = error is CudaException { IsSticky: true };
            GpuDevice device = new(_device.Ordinal, _device.Name, _device.UuidText, "", "", 0);
            return new GpuAnswer(step, [Failed(device, step, error.Message)]);
        }
    }

    public void Dispose()
    {
        _stream?.Dispose();
        _context?.Dispose();
    }

    private static string NameOf(int ordinal, int step) => string.Create(CultureInfo.InvariantCulture, $"gpu {ordinal} {Steps[step].Name}").TrimEnd();

    private string NameOf(string what) => string.Create(CultureInfo.InvariantCulture, $"gpu {_device.Ordinal} {what}");

    private Check Identity()
    {
        (long free, long total) = Context.GetMemory();
        return Check.Ok(NameOf(_device.Ordinal, 0),
            $"{_device.Name}, {_device.UuidText}, compute capability {_device.ComputeCapability}, PCI {_device.PciBusId}, {Words.Bytes(free)} of {Words.Bytes(total)} free");
    }

    /// <summary>Creates memory as a publisher does, and lets another process map and read it and try to write it.</summary>
    private Check Descriptors()
    {
        if (!_device.HasVirtualMemory || !_device.HasPosixHandles)
        {
            string lacks = _device.HasVirtualMemory ? "exports no memory as file descriptors" : "has no virtual memory management";
            return Check.Warn(NameOf("vmm"), $"this GPU {lacks}", Steps[1].Consequence);
        }

        using CudaMemory memory = CudaMemory.CreateShareable(Context, SharedBytes);
        Upload(memory);
        using FileDescriptor file = memory.ExportDescriptor();
        GpuReaderAnswer answer = AskReader(GpuReader.Descriptor, [0], [file], memory.Size);
        Require(memory, "After another process tried to write to its read-only mapping, the memory");
        return Check.Ok(NameOf("vmm"), $"created, exported, mapped read-only and read by another process; a write there {answer.Write}");
    }

    private Check LegacyHandles()
    {
        using CudaMemory memory = CudaMemory.Allocate(Context, SharedBytes);
        Upload(memory);
        Span<byte> handle = stackalloc byte[64];
        memory.CopyHandleTo(handle);
        AskReader(GpuReader.LegacyHandle, handle, [], memory.Size);
        return Check.Ok(NameOf("legacy ipc"), "opened and read by another process; it could write as well, legacy handles know no read-only mapping");
    }

    /// <summary>Registers a shared page as a reader does with its own, and lets the GPU write to it.</summary>
    private Check HostRegistration()
    {
        const string name = "host registration";
        if (!_device.HasHostRegistration)
        {
            return Check.Warn(NameOf(name), "this GPU cannot register host memory", Steps[3].Consequence);
        }

        using MemoryMapping page = NewPage();
        using CudaHostRegistration registration = CudaHostRegistration.Register(Context, (nint)page.Pointer, PageSize);
        using CudaMemory memory = CudaMemory.Allocate(Context, PageSize);
        Upload(memory);
        Stream.Copy(new CudaCopy
        {
            Source = memory.Address,
            SourceIsDevice = true,
            SourcePitch = PageSize,
            Destination = registration.DeviceAddress,
            DestinationIsDevice = true,
            DestinationPitch = PageSize,
            RowBytes = PageSize,
            Rows = 1,
        });
        Stream.Synchronize();
        ProbePattern.Require(page.ReadOnlySlice(0, PageSize), "A shared page that the GPU wrote");
        return Check.Ok(NameOf(name), "a shared page was registered, and written by the GPU");
    }

    private Check StreamWrites()
    {
        const string name = "stream writes";
        if (!_device.HasStreamMemoryOperations || !_device.HasHostRegistration)
        {
            string lacks = _device.HasStreamMemoryOperations ? "cannot register host memory, which the writes go to" : "has no 64-bit stream memory operations";
            return Check.Warn(NameOf(name), $"this GPU {lacks}", Steps[4].Consequence);
        }

        const ulong value = 0x0123_4567_89AB_CDEF;
        using MemoryMapping page = NewPage();
        using CudaHostRegistration registration = CudaHostRegistration.Register(Context, (nint)page.Pointer, PageSize);
        Stream.WriteValue64(registration.DeviceAddress + 64, value);
        Stream.Synchronize();
        ulong found = Volatile.Read(ref ((ulong*)page.Pointer)[8]);
        return found == value
            ? Check.Ok(NameOf(name), "cuStreamWriteValue64 wrote to a registered shared page: readers can release by the fence STREAM")
            : throw new InvalidDataException($"cuStreamWriteValue64 was done, and the page has 0x{found:x} and not 0x{value:x}.");
    }

    private Check IpcEvents()
    {
        const string name = "ipc events";
        if (!_device.HasIpcEvents)
        {
            return Check.Warn(NameOf(name), "this GPU shares no events between processes", Steps[5].Consequence);
        }

        using CudaEvent mark = CudaEvent.Create(Context, interprocess: true);
        Stream.Record(mark);
        Span<byte> handle = stackalloc byte[64];
        mark.CopyHandleTo(handle);
        AskReader(GpuReader.Event, handle, [], 0);
        return Check.Ok(NameOf(name), "recorded here, opened and seen complete by another process: readers can release by the fence EVENT");
    }

    private List<Check> Nvdec()
    {
        List<Check> checks = [];
        foreach (string codec in MediaChecks.Decoders)
        {
            List<string> answers = [];
            bool isSupported = false;
            foreach (int depth in (int[])[8, 10])
            {
                NvdecCapabilities found;
                try
                {
                    found = MediaLibrary.GetNvdecCapabilities(Context, codec, depth);
                }
                catch (CuFramesException error) when (checks.Count == 0 && depth == 8)
                {
                    // What keeps the driver from answering at all is the same for every codec.
                    return [Check.Warn(NameOf("nvdec"), error.Message, Steps[6].Consequence)];
                }
                catch (CuFramesException error)
                {
                    answers.Add($"{depth} bit not: {error.Message}");
                    continue;
                }

                isSupported |= found.IsSupported && depth == 8;
                answers.Add(found.IsSupported
                    ? $"{depth} bit up to {found.MaxWidth}x{found.MaxHeight}, {found.Engines} {(found.Engines == 1 ? "engine" : "engines")}"
                    : $"{depth} bit not");
            }

            string text = string.Join("; ", answers);
            checks.Add(isSupported
                ? Check.Ok(NameOf($"nvdec {codec}"), text)
                : Check.Warn(NameOf($"nvdec {codec}"), text, $"Cameras that send {codec} are decoded in software and uploaded."));
        }

        return checks;
    }

    /// <summary>Gives another process a handle or a descriptor, and waits for what it says.</summary>
    private GpuReaderAnswer AskReader(string kind, ReadOnlySpan<byte> handle, ReadOnlySpan<FileDescriptor> files, long size)
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("cuframes-doctor-");
        try
        {
            string path = Path.Combine(directory.FullName, "reader");
            using UnixSocket listener = UnixSocket.Listen(path, 1, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            using ProbeProcess reader = ProbeProcess.Start(
                "doctor-reader", kind, path, _device.UuidText, size.ToString(CultureInfo.InvariantCulture));
            if (listener.Poll(IoEvents.Readable, (int)ReaderPatience.TotalMilliseconds) == IoEvents.None || !listener.TryAccept(out UnixSocket? connection))
            {
                throw new TimeoutException($"A second process did not connect within {ReaderPatience.TotalSeconds} s.");
            }

            using (connection)
            {
                SendStatus sent = connection.Send(handle, files, timeoutMilliseconds: 1000);
                string line = (sent == SendStatus.Sent ? reader.ReadLine(ReaderPatience, out string failure) : Lost($"{sent}", out failure))
                    ?? throw new InvalidDataException($"The second process {failure}.");
                GpuReaderAnswer answer = JsonLine.Read<GpuReaderAnswer>(line);
                return answer.Error is null ? answer : throw new InvalidDataException($"In another process: {answer.Error}");
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }

        static string? Lost(string status, out string failure)
        {
            failure = $"could not be given the handle ({status})";
            return null;
        }
    }

    private static MemoryMapping NewPage()
    {
        using FileDescriptor file = MemoryFile.Create("cuframes-doctor", PageSize);
        return MemoryMapping.Map(file, PageSize, MappingAccess.ReadWrite);
    }

    private void Upload(CudaMemory memory)
    {
        using CudaHostMemory host = CudaHostMemory.Allocate(Context, memory.Size);
        Span<byte> bytes = new(host.Pointer, (int)memory.Size);
        ProbePattern.Fill(bytes);
        Stream.Copy(new CudaCopy
        {
            Source = (ulong)host.Pointer,
            SourcePitch = memory.Size,
            Destination = memory.Address,
            DestinationIsDevice = true,
            DestinationPitch = memory.Size,
            RowBytes = memory.Size,
            Rows = 1,
        });
        Stream.Synchronize();
    }

    private void Require(CudaMemory memory, string where)
    {
        using CudaHostMemory host = CudaHostMemory.Allocate(Context, memory.Size);
        GpuReader.Download(Stream, memory, host);
        ProbePattern.Require(new ReadOnlySpan<byte>(host.Pointer, (int)memory.Size), where);
    }

    /// <param name="Name">What is tried, after the device's number.</param>
    /// <param name="Consequence">What to do without it.</param>
    /// <param name="IsNeeded">Whether frames in device memory cannot be shared as usual without it.</param>
    /// <param name="Try">Tries it.</param>
    private sealed record Step(string Name, string Consequence, bool IsNeeded, Func<GpuProbe, IEnumerable<Check>> Try);
}
