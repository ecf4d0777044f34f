using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>A segment in device memory, as its publisher has it: one allocation that holds all its slots.</summary>
internal sealed class CudaSegment : Segment
{
    private readonly CudaMemory _memory;
    private readonly byte[] _ipcHandle;

    private CudaSegment(CudaMemory memory, FileDescriptor? file, byte[] ipcHandle, SegmentDescription description)
        : base(description)
    {
        _memory = memory;
        File = file;
        _ipcHandle = ipcHandle;
    }

    public override FileDescriptor? File { get; }

    public override SegmentMessage Message => new(Description, _ipcHandle);

    /// <summary>Allocates and exports. The device's rounding is in <paramref name="size"/> already.</summary>
    /// <exception cref="CudaException">The device has no room or lacks the feature; nothing is left behind.</exception>
    public static CudaSegment Create(CudaContext context, HandleKind kind, uint id, uint generation, long size, int slots)
    {
        CudaMemory memory = kind == HandleKind.CudaVmm ? CudaMemory.CreateShareable(context, size) : CudaMemory.Allocate(context, size);
        try
        {
            byte[] handle = [];
            FileDescriptor? file = null;
            if (kind == HandleKind.CudaVmm)
            {
                file = memory.ExportDescriptor();
            }
            else
            {
                handle = new byte[Wire.CudaIpcHandleSize];
                memory.CopyHandleTo(handle);
            }

            return new CudaSegment(memory, file, handle, new SegmentDescription(
                id, MemoryDomain.Cuda, kind, generation, (ulong)size, context.Device.Uuid, (uint)slots));
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    public override Span<byte> Slice(long offset, int length) => throw new InvalidOperationException(
        $"These frames lie in the memory of {Description.Device}, which the CPU cannot write: use DeviceAddress and Publish(CudaStream).");

    public override ulong AddressOf(long offset) => _memory.Address + (ulong)offset;

    public override void Dispose()
    {
        File?.Dispose();
        _memory.Dispose();
    }
}
