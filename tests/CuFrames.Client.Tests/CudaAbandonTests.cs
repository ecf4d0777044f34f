using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Frames that were begun, that a GPU still writes to, and that are not published after all.</summary>
[Trait("needs", "gpu")]
public sealed class CudaAbandonTests
{
    // So much that the device has never done it by the time that the next line runs: 400 times 8 MB.
    private const int Copies = 400;
    private static readonly StreamFormat Format = new(PixelFormat.Nv12, 3840, 2160);

    [Theory]
    [InlineData(FrameMemory.Cuda)]
    [InlineData(FrameMemory.CudaIpc)]
    public void A_slot_is_given_back_when_nothing_writes_to_it_any_more(FrameMemory memory)
    {
        using TestStream stream = new(Format, new PublisherOptions { Memory = memory, Slots = 2 });
        using CudaStream work = CudaStream.Create(stream.Publisher.Cuda!);
        using CudaMemory source = CudaMemory.Allocate(stream.Publisher.Cuda!, 3840 * 2160);
        Assert.True(stream.Publisher.TryBeginFrame(out FrameWriter frame));
        Write(work, source, frame);
        frame.Dispose();
        Assert.True(work.IsIdle);
    }

    [Fact]
    public void A_slot_in_main_memory_that_a_device_writes_is_given_back_when_it_has_done_so()
    {
        CudaDevice device = TestCuda.Device;
        using CudaContext context = device.OpenContext();
        using CudaStream work = CudaStream.Create(context);
        using CudaMemory source = CudaMemory.Allocate(context, 3840 * 2160);
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("cam", new PublisherOptions { Directory = directory.Path, Slots = 2 });
        publisher.PinFor(context);
        publisher.Configure(Format);
        Assert.True(publisher.TryBeginFrame(out FrameWriter frame));
        for (int i = 0; i < Copies; i++)
        {
            work.Copy(new CudaCopy
            {
                Source = source.Address,
                SourcePitch = 3840,
                SourceIsDevice = true,
                Destination = (ulong)frame.PlaneAddress(0),
                DestinationPitch = frame.Pitch(0),
                RowBytes = frame.RowBytes(0),
                Rows = frame.Rows(0),
            });
        }

        frame.Dispose();
        Assert.True(work.IsIdle);
    }

    /// <summary>Unmapping waits for nothing: memory that went while a copy wrote to it would break the context, and with it all else of the program.</summary>
    [Fact]
    public void A_publisher_that_ends_with_a_frame_open_breaks_nothing_of_the_work_that_writes_to_it()
    {
        using CudaContext context = TestCuda.Device.OpenContext();
        using CudaStream work = CudaStream.Create(context);
        using CudaMemory source = CudaMemory.Allocate(context, 3840 * 2160);
        using (TestStream stream = new(Format, new PublisherOptions { Cuda = context, Memory = FrameMemory.Cuda, Slots = 2 }))
        {
            Assert.True(stream.Publisher.TryBeginFrame(out FrameWriter frame));
            Write(work, source, frame);
        }

        work.Synchronize();
        context.WaitForAllWork();
    }

    private static void Write(CudaStream work, CudaMemory source, FrameWriter frame)
    {
        for (int i = 0; i < Copies; i++)
        {
            work.Copy(new CudaCopy
            {
                Source = source.Address,
                SourcePitch = 3840,
                SourceIsDevice = true,
                Destination = frame.DeviceAddress(0),
                DestinationPitch = frame.Pitch(0),
                DestinationIsDevice = true,
                RowBytes = frame.RowBytes(0),
                Rows = frame.Rows(0),
            });
        }
    }
}
