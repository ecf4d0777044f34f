using System.Text.Json;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>How often a frame is copied, as the double counts it.</summary>
public sealed class CudaCopyTests
{
    private const int Frames = 40;

    [Theory]
    [InlineData("cuda")]
    [InlineData("cuda-ipc")]
    public unsafe void A_frame_on_the_device_is_copied_once_on_the_device_and_never_by_the_host(string memory)
    {
        StreamFormat format = new(PixelFormat.Nv12, 322, 182);
        using TestStream stream = new(format, new PublisherOptions { Memory = memory == "cuda" ? FrameMemory.Cuda : FrameMemory.CudaIpc, Slots = 6 });
        using PeerProcess reader = PeerProcess.StartWith(
            TestCuda.ChildEnvironment, [], "device", "--key", TestStream.Key, "--dir", stream.Directory.Path, "--leases", "2");
        reader.Expect("ready");
        reader.Ask("connect", "connect");

        // The pictures as a decoder leaves them on the device.
        CudaContext context = stream.Publisher.Cuda!;
        int bytes = (int)PixelFormats.PictureBytes(format.PixelFormat, format.Width, format.Height);
        using CudaStream work = CudaStream.Create(context);
        using CudaHostMemory staging = CudaHostMemory.Allocate(context, (long)bytes * Frames);
        using CudaMemory surfaces = CudaMemory.Allocate(context, (long)bytes * Frames);
        for (int i = 0; i < Frames; i++)
        {
            ulong number = StampedFrames.Number(stream.Publisher.Epoch, (ulong)i + 1);
            FrameStamp.Fill(staging.Slice((long)i * bytes, bytes), format.PixelFormat, format.Width, format.Height, number);
        }

        work.Copy(new CudaCopy
        {
            Source = (ulong)staging.Pointer,
            SourcePitch = (long)bytes * Frames,
            Destination = surfaces.Address,
            DestinationPitch = (long)bytes * Frames,
            DestinationIsDevice = true,
            RowBytes = (long)bytes * Frames,
            Rows = 1,
        });
        work.Synchronize();
        JsonElement before = Counts();
        for (int i = 0; i < Frames; i++)
        {
            Publish(stream.Publisher, surfaces.Address + ((ulong)i * (ulong)bytes), work);
            reader.Ask("take 1", "take");
            reader.Ask("copy", "copy");
            Assert.True(reader.Ask("settle", "settle").GetProperty("isClean").GetBoolean());
            reader.Ask("drop", "drop");
        }

        JsonElement after = Counts();
        Assert.Equal((Frames * 2L, (long)Frames * bytes), Difference("DtoD"));
        foreach (string direction in (string[])["HtoD", "DtoH", "HtoH"])
        {
            Assert.Equal((0L, 0L), Difference(direction));
        }

        Assert.Equal(0, Of(after, "memsets", "bytes") - Of(before, "memsets", "bytes"));
        Assert.Equal(0, reader.Exit());

        (long Count, long Bytes) Difference(string direction) =>
            (Of(after.GetProperty("copies"), direction, "count") - Of(before.GetProperty("copies"), direction, "count"),
            Of(after.GetProperty("copies"), direction, "bytes") - Of(before.GetProperty("copies"), direction, "bytes"));
    }

    private static void Publish(FramePublisher publisher, ulong surface, CudaStream work)
    {
        Assert.True(publisher.TryBeginFrame(out FrameWriter frame));
        using (frame)
        {
            ulong position = 0;
            for (int plane = 0; plane < frame.PlaneCount; plane++)
            {
                work.Copy(new CudaCopy
                {
                    Source = surface + position,
                    SourcePitch = frame.RowBytes(plane),
                    SourceIsDevice = true,
                    Destination = frame.DeviceAddress(plane),
                    DestinationPitch = frame.Pitch(plane),
                    DestinationIsDevice = true,
                    RowBytes = frame.RowBytes(plane),
                    Rows = frame.Rows(plane),
                });
                position += (ulong)frame.RowBytes(plane) * (ulong)frame.Rows(plane);
            }

            frame.Metadata.Pts = StampedFrames.PtsOf(publisher.Head + 1);
            frame.Metadata.SourcePacket = publisher.Head + 1;
            frame.Publish(work);
        }
    }

    private static long Of(JsonElement element, string name, string figure) => element.GetProperty(name).GetProperty(figure).GetInt64();

    private static unsafe JsonElement Counts()
    {
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, "counts");
        fixed (byte* text = System.Text.Encoding.UTF8.GetBytes(path + '\0'))
        {
            Assert.Equal(0, ((delegate* unmanaged<byte*, int>)TestCuda.DoubleExport("fakecuda_write_counts"))(text));
        }

        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
        return document.RootElement.Clone();
    }
}
