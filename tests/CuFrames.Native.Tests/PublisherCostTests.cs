using System.Runtime.InteropServices;
using CuFrames.Native.Internal;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>What a frame costs a publisher in C beyond what it costs one in C#: the managed side of the library, in this process.</summary>
public sealed unsafe class PublisherCostTests
{
    private const int Rounds = 20;
    private const int Frames = 5_000;

    [Fact]
    public void Publishing_and_abandoning_allocate_nothing()
    {
        using TemporaryDirectory directory = new();
        nint path = Marshal.StringToCoTaskMemUTF8(directory.Path);
        NativePublisherOptions options = new() { Size = (uint)sizeof(NativePublisherOptions), Directory = (byte*)path, Slots = 2, MaxSlots = 2 };
        NativeFormat format = new() { Size = (uint)sizeof(NativeFormat), PixelFormat = 0x3231564E, Width = 64, Height = 48 };
        using (OpenPublisher publisher = OpenPublisher.Open("cost", options, format))
        {
            NativeFrame frame = new() { Size = (uint)sizeof(NativeFrame) };
            ulong sequence = 0;
            int failures = Publish(publisher, &frame, &sequence, 100);
            long allocated = long.MaxValue;
            for (int round = 0; round < Rounds; round++)
            {
                // The runtime itself allocates a little now and then, as while it compiles again: what a frame costs shows in each round.
                long before = GC.GetAllocatedBytesForCurrentThread();
                failures += Publish(publisher, &frame, &sequence, Frames);
                allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
            }

            Assert.Equal(0, allocated);
            Assert.Equal(0, failures);
            Assert.Equal((Rounds * Frames) + 100UL, sequence);
            Assert.Equal(sequence, publisher.GetInfo().Published);
        }

        Marshal.FreeCoTaskMem(path);
    }

    /// <returns>How many calls did not answer what they should.</returns>
    private static int Publish(OpenPublisher publisher, NativeFrame* frame, ulong* sequence, int count)
    {
        const nuint handle = 17;
        int failed = 0;
        for (int i = 0; i < count; i++)
        {
            failed += publisher.Begin(handle, frame) == 0 ? 0 : 1;
            failed += publisher.Abandon(handle, frame) == 0 ? 0 : 1;
            failed += publisher.Begin(handle, frame) == 0 ? 0 : 1;
            *(byte*)frame->Planes[1].Data = 1;
            frame->Metadata.Pts = i;
            failed += publisher.Publish(handle, frame, sequence) == 0 ? 0 : 1;

            // A frame that has ended is refused without an allocation, too.
            failed += publisher.Publish(handle, frame, sequence) == (int)LibraryError.WrongState ? 0 : 1;
        }

        return failed;
    }
}
