using CuFrames.Interop;

namespace CuFrames.Cli.Internal;

/// <summary>The other side of <see cref="GpuProbe"/>, in a process of its own: opens what it is given and looks whether it is as it was made.</summary>
internal static unsafe class GpuReader
{
    public const string Descriptor = "descriptor";
    public const string LegacyHandle = "legacy-handle";
    public const string Event = "event";

    private const int Patience = 10_000;

    /// <summary>Does what is asked.</summary>
    /// <param name="kind">One of the constants.</param>
    /// <param name="path">Where the handle or the descriptor comes from.</param>
    /// <param name="uuid">The device, as nvidia-smi prints it.</param>
    /// <param name="size">Bytes of the memory.</param>
    /// <returns>What was found; errors too.</returns>
    public static GpuReaderAnswer Run(string kind, string path, string uuid, long size)
    {
        try
        {
            using UnixSocket socket = UnixSocket.Connect(path, Patience);
            using DescriptorSet descriptors = new();
            Span<byte> packet = stackalloc byte[64];
            ReceiveResult received = socket.Receive(packet, descriptors, Patience);
            if (received.Status != ReceiveStatus.Received)
            {
                return new GpuReaderAnswer($"The handle did not come: {received.Status}.", null);
            }

            CudaDriver.Initialise();
            CudaDevice device = CudaDriver.Devices.FirstOrDefault(device => device.UuidText == uuid)
                ?? throw new InvalidDataException($"The device {uuid} is not visible here.");
            using CudaContext context = device.OpenContext();
            using CudaStream stream = CudaStream.Create(context);
            switch (kind)
            {
                case Descriptor:
                    using (FileDescriptor file = descriptors.Take(0))
                    using (CudaMemory memory = CudaMemory.ImportReadOnly(context, file, size))
                    {
                        Read(stream, memory);
                        return new GpuReaderAnswer(null, TryWrite(stream, memory));
                    }

                case LegacyHandle:
                    using (CudaMemory memory = CudaMemory.OpenInterprocess(context, packet, size))
                    {
                        Read(stream, memory);
                        return new GpuReaderAnswer(null, null);
                    }

                default:
                    using (CudaEvent mark = CudaEvent.OpenInterprocess(context, packet))
                    {
                        return WaitFor(mark);
                    }
            }
        }
        catch (Exception error)
        {
            return new GpuReaderAnswer(error.Message, null);
        }
    }

    /// <summary>Copies device memory to the host and waits for it.</summary>
    public static void Download(CudaStream stream, CudaMemory memory, CudaHostMemory host)
    {
        stream.Copy(new CudaCopy
        {
            Source = memory.Address,
            SourceIsDevice = true,
            SourcePitch = memory.Size,
            Destination = (ulong)host.Pointer,
            DestinationPitch = memory.Size,
            RowBytes = memory.Size,
            Rows = 1,
        });
        stream.Synchronize();
    }

    private static void Read(CudaStream stream, CudaMemory memory)
    {
        using CudaHostMemory host = CudaHostMemory.Allocate(stream.Context, memory.Size);
        Download(stream, memory, host);
        ProbePattern.Require(new ReadOnlySpan<byte>(host.Pointer, (int)memory.Size), "The memory");
    }

    private static string TryWrite(CudaStream stream, CudaMemory memory)
    {
        try
        {
            stream.Fill(memory.Address, 0, memory.Size);
            stream.Synchronize();
            return "has no effect";
        }
        catch (CudaException error)
        {
            return error.IsSticky ? $"breaks the writer's context ({error.Result}) and nothing else" : $"is refused ({error.Result})";
        }
    }

    private static GpuReaderAnswer WaitFor(CudaEvent mark)
    {
        long end = MonotonicClock.NowNanoseconds + (Patience * 1_000_000L);
        while (!mark.IsComplete)
        {
            if (MonotonicClock.NowNanoseconds > end)
            {
                return new GpuReaderAnswer($"The event was not complete after {Patience / 1000} s.", null);
            }

            Thread.Sleep(1); // An event of another process can only be asked.
        }

        return new GpuReaderAnswer(null, null);
    }
}
