using System.Globalization;
using CuFrames.TestKit;

namespace CuFrames.Interop.Tests;

/// <summary>
/// One use of everything that the CUDA binding has, with every result checked. It makes every call to the driver at least once, which
/// <see cref="CudaFaultTests"/> relies on.
/// </summary>
internal static unsafe class CudaScenario
{
    private const int Rows = 16;
    private const int RowBytes = 96;
    private const int DevicePitch = 128;
    private const long Size = 1 << 20;

    /// <summary>Runs it.</summary>
    /// <param name="memoryHandle">Legacy handle of memory of another process, filled with 0x5A.</param>
    /// <param name="eventHandle">Handle of an event of another process, complete.</param>
    internal static void Run(ReadOnlySpan<byte> memoryHandle, ReadOnlySpan<byte> eventHandle)
    {
        CudaDevice device = CudaDriver.Devices[0];
        using CudaContext context = device.OpenContext();
        (long free, long total) = context.GetMemory();
        Require(free > 0 && free <= total && total == device.TotalMemory, "memory");
        using CudaContext lentContext = CudaContext.Borrow(context.Handle);
        Require(lentContext.Device == device, "device of the lent context");
        using CudaStream stream = CudaStream.Create(context);
        using CudaStream lentStream = CudaStream.Borrow(lentContext, stream.Handle);
        using CudaHostMemory host = CudaHostMemory.Allocate(context, Size);
        UseShareable(context, stream, host);
        UseLegacy(context, stream, host, memoryHandle);
        UseEvents(context, stream, lentStream, eventHandle);
        UseRegistration(context, stream);
        UseKernel(context, stream, host);
        stream.Synchronize();
        context.WaitForAllWork();
        Require(stream.IsIdle, "idle");
    }

    private static void UseShareable(CudaContext context, CudaStream stream, CudaHostMemory host)
    {
        using CudaMemory own = CudaMemory.CreateShareable(context, 1);
        Require(own.Size == CudaMemory.GranularityOf(context), "granularity");
        using FileDescriptor descriptor = own.ExportDescriptor();
        using CudaMemory imported = CudaMemory.ImportReadOnly(context, descriptor, own.Size);
        using var settled = new Settled(stream);
        stream.Fill(own.Address, 0xA5, own.Size);
        RequireContent(stream, host, imported.Address, 0xA5);
    }

    private static void UseLegacy(CudaContext context, CudaStream stream, CudaHostMemory host, ReadOnlySpan<byte> memoryHandle)
    {
        using CudaMemory own = CudaMemory.Allocate(context, Size);
        byte[] handle = new byte[64];
        own.CopyHandleTo(handle);
        Require(handle.AsSpan().ContainsAnyExcept((byte)0), "handle");
        using CudaMemory opened = CudaMemory.OpenInterprocess(context, memoryHandle, Size);
        using var settled = new Settled(stream);
        RequireContent(stream, host, opened.Address, 0x5A);
    }

    private static void UseEvents(CudaContext context, CudaStream stream, CudaStream other, ReadOnlySpan<byte> eventHandle)
    {
        using CudaEvent own = CudaEvent.Create(context, interprocess: true);
        own.CopyHandleTo(new byte[64]);
        stream.Record(own);
        other.WaitFor(own);
        own.Synchronize();
        Require(own.IsComplete, "own event");
        using CudaEvent opened = CudaEvent.OpenInterprocess(context, eventHandle);
        Require(opened.IsComplete, "opened event");
    }

    private static void UseRegistration(CudaContext context, CudaStream stream)
    {
        using FileDescriptor file = MemoryFile.Create("page", 4096);
        using MemoryMapping page = MemoryMapping.Map(file, 4096, MappingAccess.ReadWrite);
        using CudaHostRegistration registration = CudaHostRegistration.Register(context, (nint)page.Pointer, 4096);
        using var settled = new Settled(stream);
        stream.WriteValue64(registration.DeviceAddress + 8, 0x0123456789ABCDEF);
        stream.Synchronize();
        Require(Volatile.Read(ref *(ulong*)(page.Pointer + 8)) == 0x0123456789ABCDEF, "word");
        Require(Volatile.Read(ref *(ulong*)page.Pointer) == 0, "word before");
        Require(Volatile.Read(ref *(ulong*)(page.Pointer + 16)) == 0, "word after");
    }

    private static void UseKernel(CudaContext context, CudaStream stream, CudaHostMemory host)
    {
        using CudaMemory memory = CudaMemory.Allocate(context, Size);
        using CudaModule module = CudaModule.Load(context, TestCuda.Kernels);
        using var settled = new Settled(stream);
        stream.Launch(module.Function("fill"), 1, 32, memory.Address, (ulong)Size, 0x3C);
        RequireContent(stream, host, memory.Address, 0x3C);
    }

    /// <summary>Brings rows to the host and looks at every byte, also at those beside the rows.</summary>
    private static void RequireContent(CudaStream stream, CudaHostMemory host, ulong address, byte value)
    {
        host.Slice(0, (int)Size).Clear();
        stream.Copy(new CudaCopy
        {
            Source = address,
            SourcePitch = DevicePitch,
            SourceIsDevice = true,
            Destination = (ulong)host.Pointer,
            DestinationPitch = RowBytes,
            RowBytes = RowBytes,
            Rows = Rows,
        });
        stream.Synchronize();
        Require(!host.Slice(0, Rows * RowBytes).ContainsAnyExcept(value), "content");
        Require(!host.Slice(Rows * RowBytes, (int)Size - (Rows * RowBytes)).ContainsAnyExcept((byte)0), "content behind");
    }

    private static void Require(bool condition, string what)
    {
        if (!condition)
        {
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"wrong: {what}"));
        }
    }

    /// <summary>Waits before memory goes that work may be queued on, also when a call has failed: freeing it is up to the caller.</summary>
    private sealed class Settled(CudaStream stream) : IDisposable
    {
        public void Dispose()
        {
            try
            {
                stream.Synchronize();
            }
            catch (CudaException error) when (error.IsSticky)
            {
                // A broken context does no work any more, and the error that broke it is on its way already.
            }
        }
    }
}
