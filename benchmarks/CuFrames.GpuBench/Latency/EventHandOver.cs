using CuFrames.Interop;

namespace CuFrames.Benchmarks.Gpu.Latency;

/// <summary>
/// The hand-over that others use: the publisher enqueues its copy and the recording of an interprocess event and announces at once;
/// the reader waits for the event. The page is a sealed memory file as the host benchmarks' floor is: a futex word, which counts the
/// hand-overs, a stamp for each slot, and the handles of the legacy memory and of each slot's event. A second futex word is the floor of
/// all hand-overs: a wake and nothing else.
/// </summary>
internal static unsafe class EventHandOver
{
    public const int Slots = 8;
    public const int PageSize = 4096;
    public const int HandleSize = 64;

    private const int StampsOffset = 64;
    private const int FloorOffset = 256;
    private const int MemoryHandleOffset = 512;
    private const int EventHandlesOffset = 1024;

    /// <summary>Counts hand-overs. The publisher writes it with release, readers read it with acquire.</summary>
    public static uint* Word(byte* page) => (uint*)page;

    /// <summary>CLOCK_MONOTONIC before the copy into the slot was enqueued. Written by the publisher before the word, which orders it.</summary>
    public static long* Stamp(byte* page, uint count) => (long*)(page + StampsOffset) + (count % Slots);

    /// <summary>Tick of the frame in the slot; ordered as the stamp is.</summary>
    public static long* Tick(byte* page, uint count) => (long*)(page + StampsOffset) + Slots + (count % Slots);

    /// <summary>Counts wakes without a frame; written and read as <see cref="Word"/>.</summary>
    public static uint* FloorWord(byte* page) => (uint*)(page + FloorOffset);

    /// <summary>CLOCK_MONOTONIC before the wake, and the tick. Written by the publisher before the floor's word.</summary>
    public static long* FloorStampAndTick(byte* page) => (long*)(page + FloorOffset + StampsOffset);

    public static Span<byte> MemoryHandle(byte* page) => new(page + MemoryHandleOffset, HandleSize);

    public static Span<byte> EventHandle(byte* page, int slot) => new(page + EventHandlesOffset + (slot * HandleSize), HandleSize);

    /// <summary>Opens another process's page.</summary>
    public static MemoryMapping Open(string process, string descriptor)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle handle = File.OpenHandle($"/proc/{process}/fd/{descriptor}");
        using FileDescriptor borrowed = FileDescriptor.Own((int)handle.DangerousGetHandle());
        handle.SetHandleAsInvalid();
        return MemoryMapping.Map(borrowed, PageSize, MappingAccess.ReadOnly, populate: true);
    }
}
