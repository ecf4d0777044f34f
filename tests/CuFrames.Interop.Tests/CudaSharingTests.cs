using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Interop.Tests;

/// <summary>Memory and events that really cross to another process.</summary>
public sealed unsafe class CudaSharingTests : IDisposable
{
    internal const long Size = 2 << 20;

    private const int Pitch = 1 << 16;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    [Trait("needs", "gpu")]
    public void Another_process_reads_every_byte_cannot_write_and_keeps_what_it_has()
    {
        using CudaContext context = TestCuda.Device.OpenContext();
        using CudaStream stream = CudaStream.Create(context);
        using CudaHostMemory host = CudaHostMemory.Allocate(context, Size);
        using CudaMemory legacy = CudaMemory.Allocate(context, Size);
        using CudaEvent copied = CudaEvent.Create(context, interprocess: true);
        using UnixSocket listener = UnixSocket.Listen(_directory.PathOf("s"), 1, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using ChildProcess child = ChildProcess.StartWith(CudaProbe.Environment(), "cuda", "import", _directory.PathOf("s"));
        using (CudaMemory memory = CudaMemory.CreateShareable(context, Size))
        {
            Write(stream, host, memory.Address, 1);
            Write(stream, host, legacy.Address, 2);
            stream.Record(copied);
            byte[] handles = new byte[128];
            legacy.CopyHandleTo(handles);
            copied.CopyHandleTo(handles.AsSpan(64));
            using (FileDescriptor file = memory.ExportDescriptor())
            using (UnixSocket socket = Accept(listener))
            {
                Assert.Equal(SendStatus.Sent, socket.Send(handles, [file]));
                Assert.Equal("tooLarge: cuPointerGetAttribute", child.ReadLine());
                Assert.Equal("imported: right", child.ReadLine());
                Assert.Equal("opened: right", child.ReadLine());
            }

            string? call = child.ReadLine();
            Assert.StartsWith("call: ", call, StringComparison.Ordinal);
            while (child.ReadLine() is { } line && line != "ready: True")
            {
            }

            Assert.Null(FindFault(stream, host, memory.Address, 1));
        }

        // The memory is freed here; the other process has its mapping still.
        Assert.Equal("right", Facts.Parse(child.Finish().Output)["later"]);
    }

    private static UnixSocket Accept(UnixSocket listener)
    {
        using var loop = new EventLoop();
        loop.Add(listener, IoEvents.Readable, 0);
        Span<LoopEvent> events = stackalloc LoopEvent[1];
        UnixSocket? connection;
        while (!listener.TryAccept(out connection))
        {
            Assert.Equal(1, loop.Wait(events, 90_000));
        }

        return connection;
    }

    /// <summary>Fills memory with bytes that tell the place and the seed.</summary>
    private static void Write(CudaStream stream, CudaHostMemory host, ulong address, int seed)
    {
        for (int i = 0; i < Size; i++)
        {
            host.Pointer[i] = Expected(i, seed);
        }

        stream.Copy(new CudaCopy
        {
            Source = (ulong)host.Pointer,
            SourcePitch = Pitch,
            Destination = address,
            DestinationPitch = Pitch,
            DestinationIsDevice = true,
            RowBytes = Pitch,
            Rows = Size / Pitch,
        });
        stream.Synchronize();
    }

    /// <summary>Reads all of it back and compares; null when every byte is right.</summary>
    internal static string? FindFault(CudaStream stream, CudaHostMemory host, ulong address, int seed)
    {
        host.Slice(0, (int)Size).Clear();
        stream.Copy(new CudaCopy
        {
            Source = address,
            SourcePitch = Pitch,
            SourceIsDevice = true,
            Destination = (ulong)host.Pointer,
            DestinationPitch = Pitch,
            RowBytes = Pitch,
            Rows = Size / Pitch,
        });
        stream.Synchronize();
        for (int i = 0; i < Size; i++)
        {
            if (host.Pointer[i] != Expected(i, seed))
            {
                return $"byte {i} is {host.Pointer[i]}";
            }
        }

        return null;
    }

    private static byte Expected(int index, int seed) => (byte)((index * 31) + (index >> 8) + (index >> 16) + seed);
}
