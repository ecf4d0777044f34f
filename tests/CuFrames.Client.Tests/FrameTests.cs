using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>What a frame is to its reader: content, metadata, lease.</summary>
public class FrameTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    public static TheoryData<PixelFormat, int, int> Pictures()
    {
        TheoryData<PixelFormat, int, int> pictures = [];
        foreach (PixelFormat format in PixelFormats.All)
        {
            foreach ((int width, int height) in ((int, int)[])[(1, 1), (2, 2), (63, 47), (64, 48), (65, 49), (641, 359), (1920, 1080)])
            {
                pictures.Add(format, width, height);
            }
        }

        return pictures;
    }

    [Theory]
    [MemberData(nameof(Pictures))]
    public void Every_byte_of_every_format_arrives(PixelFormat format, int width, int height)
    {
        using TestStream stream = new(new StreamFormat(format, width, height), new PublisherOptions { Slots = 2, MaxSlots = 3 });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        FrameChecker checker = new();
        for (int i = 0; i < 5; i++)
        {
            stream.Publish();
            using Frame frame = subscriber.Next(Patience);
            Assert.Equal((format, width, height), (frame.PixelFormat, frame.Width, frame.Height));
            checker.Take(frame);
            byte[] copy = new byte[PixelFormats.PictureBytes(format, width, height)];
            Assert.Equal(copy.Length, frame.CopyTo(copy));
            int position = 0;
            for (int plane = 0; plane < frame.PlaneCount; plane++)
            {
                FramePlane rows = frame.Plane(plane);
                for (int row = 0; row < rows.Rows; row++)
                {
                    Assert.True(rows.Row(row).SequenceEqual(copy.AsSpan(position, rows.RowBytes)));
                    position += rows.RowBytes;
                }
            }

            Assert.Equal(copy.Length, position);
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal(5, checker.Frames);
    }

    [Fact]
    public void A_picture_that_is_too_small_for_its_destination_is_refused()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect();
        stream.Publish();
        using Frame frame = subscriber.Next(Patience);
        Assert.Throws<ArgumentException>(() => frame.CopyTo(new byte[10]));
    }

    [Fact]
    public void Metadata_arrive_as_they_were_written()
    {
        using TestStream stream = new(TestStream.Small with { ColourMatrix = 6, ColourRange = ColourRange.Limited, ColourPrimaries = 5, ColourTransfer = 4 });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        Assert.True(stream.Publisher.TryBeginFrame(out FrameWriter first));
        FrameStamp.Fill(first, 1);
        first.Publish();
        using (Frame frame = subscriber.Next(Patience))
        {
            // A frame of which nothing was said has the stream's colours and unknown times.
            Assert.Equal(FrameMetadata.UnknownPts, frame.Metadata.Pts);
            Assert.Equal((6, ColourRange.Limited, 5, 4), (frame.Metadata.ColourMatrix, frame.Metadata.ColourRange, frame.Metadata.ColourPrimaries, frame.Metadata.ColourTransfer));
            Assert.Equal((0L, 0L, 0UL), (frame.Metadata.ArrivalTime, frame.Metadata.CaptureTime, frame.Metadata.SourcePacket));
            Assert.True(frame.Metadata.PublishTime > 0);
        }

        FrameMetadata written = new()
        {
            Pts = -17,
            CaptureTime = 1_700_000_000_123_456_789,
            ArrivalTime = 42,
            SourcePacket = ulong.MaxValue,
            Duration = 40_000_000,
            Flags = FrameFlags.Key | FrameFlags.Discontinuity | FrameFlags.EndOfStream,
            PictureType = PictureType.Bidirectional,
            ColourMatrix = 1,
            ColourRange = ColourRange.Full,
            ColourPrimaries = 9,
            ColourTransfer = 16,
            Rotation = 3,
            ChromaLocation = 2,
        };
        Assert.True(stream.Publisher.TryBeginFrame(out FrameWriter second));
        FrameStamp.Fill(second, 2);
        second.Metadata = written;
        second.Publish();
        using Frame read = subscriber.Next(Patience);
        FrameMetadata found = read.Metadata;
        Assert.True(found.PublishTime > 0);
        written.PublishTime = found.PublishTime;
        Assert.Equal(written, found);
    }

    [Fact]
    public void Several_frames_are_held_at_once_and_stay_as_they_are()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 4, MaxSlots = 12 });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder, leases: 5);
        Assert.Equal(5, subscriber.GrantedLeases);
        FrameChecker checker = new();
        List<Frame> held = [];
        for (int i = 0; i < 5; i++)
        {
            stream.Publish();
            Frame frame = subscriber.Next(Patience);
            checker.Take(frame);
            held.Add(frame);
        }

        Assert.Equal(5, subscriber.HeldFrames);
        stream.Publish(100);
        CuFramesException error = Assert.Throws<CuFramesException>(() => subscriber.TryTake(out _));
        Assert.Equal(ErrorCode.LeasesExhausted, error.Code);
        foreach (Frame frame in held)
        {
            Assert.True(frame.IsValid);
            checker.Verify(frame);
            frame.Dispose();
        }

        Assert.True(subscriber.TryTake(out Frame next));
        checker.Take(next);
        next.Dispose();
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal(0, subscriber.HeldFrames);
    }

    [Fact]
    public void A_released_frame_can_not_be_read()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect();
        stream.Publish();
        Frame frame = subscriber.Next(Patience);
        Frame copy = frame;
        Assert.True(copy == frame);
        frame.Dispose();
        foreach (Frame released in (Frame[])[frame, copy, default])
        {
            Assert.False(released.IsValid);
            Assert.Equal(ErrorCode.FrameLost, Assert.Throws<FrameLostException>(() => released.Metadata.Pts).Code);
            Assert.Throws<FrameLostException>(() => released.Plane(0).Rows);
            Assert.Throws<FrameLostException>(() => released.Width);
            Assert.Throws<FrameLostException>(() => released.CopyTo(new byte[4096]));
            Assert.Throws<FrameLostException>(released.ThrowIfInvalid);
            released.Dispose();
        }

        // A late second release must not end the lease of the frame that lies in the slot now.
        stream.Publish(50);
        using Frame next = subscriber.Next(Patience);
        copy.Dispose();
        Assert.True(next.IsValid);
        Assert.Equal(1, subscriber.HeldFrames);
        Assert.Equal(1, stream.Publisher.GetStatistics().HeldSlots);
    }

    [Fact]
    public void Planes_out_of_range_are_refused()
    {
        using TestStream stream = new(new StreamFormat(PixelFormat.I420, 64, 48));
        using FrameSubscriber subscriber = stream.Connect();
        stream.Publish();
        using Frame frame = subscriber.Next(Patience);
        Assert.Equal(3, frame.PlaneCount);
        Assert.Throws<ArgumentOutOfRangeException>(() => frame.Plane(3).Rows);
        Assert.Throws<ArgumentOutOfRangeException>(() => frame.Plane(-1).Rows);
    }

    [Fact]
    public void Any_thread_may_release_and_only_one_of_them_does()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder, leases: 1);
        FrameChecker checker = new();
        for (int i = 0; i < 2000; i++)
        {
            stream.Publish();
            Frame frame = subscriber.Next(Patience);
            checker.Take(frame);
            Parallel.Invoke(frame.Dispose, frame.Dispose, frame.Dispose);
            Assert.Equal(0, subscriber.HeldFrames);
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal(0, checker.Missed);
        Assert.Equal(0, stream.Publisher.GetStatistics().HeldSlots);
    }

    [Fact]
    public void Frames_outlive_their_subscriber_and_their_publisher()
    {
        Frame frame;
        FrameChecker checker = new();
        using (TestStream stream = new(TestStream.Small))
        {
            using FrameSubscriber subscriber = stream.Connect();
            stream.Publish();
            frame = subscriber.Next(Patience);
        }

        checker.Take(frame);
        Assert.True(frame.IsValid);
        frame.Dispose();
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
    }

    [Fact]
    public void A_frame_that_is_not_published_gives_its_slot_back()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 2, MaxSlots = 2 });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        for (int i = 0; i < 10; i++)
        {
            Assert.True(stream.Publisher.TryBeginFrame(out FrameWriter frame));
            frame.Dispose();
            try
            {
                frame.Publish();
                Assert.Fail("A frame that has ended was published.");
            }
            catch (InvalidOperationException)
            {
                // A ref struct cannot go into a lambda.
            }
        }

        Assert.Equal(0UL, stream.Publisher.Head);
        stream.Publish();
        using Frame read = subscriber.Next(Patience);
        Assert.Equal(1UL, read.Sequence);
        Assert.Null(StampedFrames.FindFault(read));
    }

    [Fact]
    public void A_second_frame_and_a_change_of_format_wait_for_the_first()
    {
        using TestStream stream = new(TestStream.Small);
        Assert.True(stream.Publisher.TryBeginFrame(out FrameWriter frame));
        Assert.Throws<InvalidOperationException>(() => stream.Publisher.TryBeginFrame(out _));
        Assert.Throws<InvalidOperationException>(() => stream.Publisher.Configure(TestStream.Small with { Width = 32 }));
        frame.Dispose();
        stream.Publish();
    }

    [Fact]
    public void A_writer_that_outlives_its_publisher_fails_instead_of_crashing()
    {
        TestStream stream = new(TestStream.Small);
        Assert.True(stream.Publisher.TryBeginFrame(out FrameWriter frame));
        stream.Dispose();
        try
        {
            frame.Publish();
            Assert.Fail("A frame was published after its publisher had ended.");
        }
        catch (InvalidOperationException)
        {
            // A ref struct cannot go into a lambda.
        }

        Assert.Throws<ObjectDisposedException>(() => stream.Publisher.TryBeginFrame(out _));
    }
}
