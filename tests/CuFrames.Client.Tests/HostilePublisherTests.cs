using System.Buffers.Binary;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Publishers that break the protocol: the subscriber says which code, reads nothing outside of its mappings, and keeps nothing open.</summary>
public class HostilePublisherTests
{
    private const MemoryFileSeals Sealed = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    /// <summary>What a hostile publisher does, and the code that its subscriber leaves with.</summary>
    internal static Dictionary<string, (ErrorCode Code, Action<RawPublisher> Prepare)> Attacks { get; } = new()
    {
        ["control block is no memfd"] = (ErrorCode.ControlBlockInvalid, raw => raw.ControlFile = raw.MakeOrdinaryFile(ControlBlockLayout.Size)),
        ["control block is a socket"] = (ErrorCode.ControlBlockInvalid, raw => raw.ControlFile = raw.Own(UnixSocket.CreatePair().First.Descriptor)),
        ["control block is not sealed"] = (ErrorCode.ControlBlockInvalid, raw => raw.ControlFile = raw.MakeFile(ControlBlockLayout.Size, MemoryFileSeals.None)),
        ["control block may be written"] = (ErrorCode.ControlBlockInvalid, raw =>
            raw.ControlFile = raw.MakeFile(ControlBlockLayout.Size, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink)),
        ["control block is too short"] = (ErrorCode.ControlBlockInvalid, raw => raw.ControlFile = raw.MakeFile(ControlBlockLayout.Size - 1, Sealed)),
        ["control block is empty of meaning"] = (ErrorCode.ControlBlockInvalid, raw => raw.ControlFile = raw.MakeFile(ControlBlockLayout.Size, Sealed)),
        ["control block of another epoch"] = (ErrorCode.ControlBlockInvalid, raw => raw.Welcome = raw.Welcome with { Epoch = 99 }),
        ["page is not sealed"] = (ErrorCode.ControlBlockInvalid, raw => raw.PageFile = raw.MakeFile(SubscriberPageLayout.FileSize, MemoryFileSeals.None)),
        ["page is too short"] = (ErrorCode.ControlBlockInvalid, raw =>
            raw.PageFile = raw.MakeFile(100, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink)),
        ["page of another subscriber"] = (ErrorCode.ControlBlockInvalid, raw => raw.Welcome = raw.Welcome with { SubscriberId = 8 }),
        ["too few descriptors"] = (ErrorCode.DescriptorCount, raw => raw.AnswerDescriptors = [raw.ControlFile]),
        ["too many descriptors"] = (ErrorCode.DescriptorCount, raw => raw.AnswerDescriptors = [raw.ControlFile, raw.PageFile, raw.PageFile]),
        ["sixteen descriptors"] = (ErrorCode.DescriptorCount, raw => raw.AnswerDescriptors = [.. Enumerable.Repeat(raw.ControlFile, 16)]),
        ["another delivery than asked for"] = (ErrorCode.ProtocolError, raw => raw.Welcome = raw.Welcome with { Delivery = Delivery.Lossless }),
        ["more leases than asked for"] = (ErrorCode.ProtocolError, raw => raw.Welcome = raw.Welcome with { Leases = 3 }),
        ["no leases"] = (ErrorCode.ProtocolError, raw => raw.Welcome = raw.Welcome with { Leases = 0 }),
        ["a start above the newest frame"] = (ErrorCode.ProtocolError, raw => raw.Welcome = raw.Welcome with { Start = 1 }),
        ["a start above what the description says is the newest frame"] = (ErrorCode.ControlBlockInvalid, raw =>
            raw.Welcome = raw.Welcome with { Start = 40, Description = raw.Welcome.Description with { Head = 50 } }),
        ["a start beyond 2^56"] = (ErrorCode.ControlBlockInvalid, raw =>
            raw.Welcome = raw.Welcome with { Start = ulong.MaxValue - 1, Description = raw.Welcome.Description with { Head = ulong.MaxValue } }),
        ["two starts"] = (ErrorCode.ProtocolError, raw => raw.Answer = WithTwoStarts(raw.Welcome)),
        ["noise for an answer"] = (ErrorCode.ProtocolError, raw => (raw.Answer, raw.AnswerDescriptors) = ([1, 2, 3], [])),
        ["a notice for an answer"] = (ErrorCode.ProtocolError, raw =>
            (raw.Answer, raw.AnswerDescriptors) = (new NoticeMessage(NoticeKind.SourceBack, ErrorCode.None, "").Write(new byte[64]).ToArray(), [])),
        ["segment is no memfd"] = (ErrorCode.SegmentInvalid, raw => raw.AfterWelcome = socket => raw.SendSegment(socket, null, raw.MakeOrdinaryFile(1 << 20))),
        ["segment is not sealed"] = (ErrorCode.SegmentInvalid, raw => raw.AfterWelcome = socket => raw.SendSegment(socket, null, raw.MakeFile(1 << 20, MemoryFileSeals.None))),
        ["segment may be cut"] = (ErrorCode.SegmentInvalid, raw => raw.AfterWelcome = socket =>
            raw.SendSegment(socket, null, raw.MakeFile(1 << 20, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.FutureWrite))),
        ["segment is too short"] = (ErrorCode.SegmentInvalid, raw => raw.AfterWelcome = socket => raw.SendSegment(socket, Described(raw, (1 << 20) + 1))),
        ["segment of half the address space"] = (ErrorCode.SegmentInvalid, raw => raw.AfterWelcome = socket => raw.SendSegment(socket, Described(raw, 1UL << 63))),
        ["segment of CUDA memory"] = (ErrorCode.SegmentInvalid, raw => raw.AfterWelcome = socket =>
            raw.SendSegment(socket, raw.Segment.Description with { Domain = MemoryDomain.Cuda, HandleKind = HandleKind.CudaVmm })),
        ["segment sent twice"] = (ErrorCode.ProtocolError, raw => raw.AfterWelcome = socket =>
        {
            raw.SendSegment(socket);
            raw.SendSegment(socket);
        }
        ),
        ["segments without end"] = (ErrorCode.SegmentInvalid, raw => raw.AfterWelcome = socket =>
        {
            for (uint id = 1; id <= 100; id++)
            {
                raw.SendSegment(socket, raw.Segment.Description with { SegmentId = id });
            }
        }
        ),
        ["segment taken back that was not sent"] = (ErrorCode.ProtocolError, raw => raw.AfterWelcome = socket =>
            socket.Send(SegmentIdMessage.Write(new byte[64], MessageType.Retire, 9), [], 90_000)),
        ["WELCOME twice"] = (ErrorCode.ProtocolError, raw => raw.AfterWelcome = socket => socket.Send(raw.Welcome.Write(new byte[4096], 1), [], 90_000)),
        ["noise after the handshake"] = (ErrorCode.ProtocolError, raw => raw.AfterWelcome = socket => socket.Send(new byte[Wire.MaxMessageSize], [], 90_000)),
        ["offset outside the segment"] = (ErrorCode.FrameInvalid, raw => Frame(raw, (ref Picture picture) => picture.PlaneOffset[0] = 1 << 20)),
        ["offset that overflows"] = (ErrorCode.FrameInvalid, raw => Frame(raw, (ref Picture picture) => picture.PlaneOffset[0] = ulong.MaxValue & ~63UL)),
        ["pitch that overflows"] = (ErrorCode.FrameInvalid, raw => Frame(raw, (ref Picture picture) => picture.PlanePitch[0] = uint.MaxValue & ~63u)),
        ["pitch smaller than a row"] = (ErrorCode.FrameInvalid, raw => Frame(raw, (ref Picture picture) => picture.PlanePitch[0] = 0)),
        ["size beyond the limit"] = (ErrorCode.FrameInvalid, raw => Frame(raw, (ref Picture picture) => (picture.Width, picture.Height) = (int.MaxValue, int.MaxValue))),
        ["negative size"] = (ErrorCode.FrameInvalid, raw => Frame(raw, (ref Picture picture) => picture.Height = -1)),
        ["crop beyond the planes"] = (ErrorCode.FrameInvalid, raw => Frame(raw, (ref Picture picture) => picture.CropBottom = 65535)),
        ["unknown pixel format"] = (ErrorCode.FrameInvalid, raw => Frame(raw, (ref Picture picture) => picture.PixelFormat = (PixelFormat)0x11111111)),
        ["wrong number of planes"] = (ErrorCode.FrameInvalid, raw => Frame(raw, (ref Picture picture) => picture.PlaneCount = 4)),
        ["tensor whose pitch is a multiple of 64"] = (ErrorCode.FrameInvalid, raw => Tensor(raw, (ref Picture picture) => picture.PlanePitch[0] = 192)),
        ["tensor whose rows overlap"] = (ErrorCode.FrameInvalid, raw => Tensor(raw, (ref Picture picture) => picture.PlanePitch[0] = 128)),
        ["tensor with a crop"] = (ErrorCode.FrameInvalid, raw => Tensor(raw, (ref Picture picture) => (picture.CropTop, picture.Height) = (2, 18))),
        ["tensor that ends outside the segment"] = (ErrorCode.FrameInvalid, raw => Tensor(raw, (ref Picture picture) => picture.Height = 16384)),
        ["index names slot 200"] = (ErrorCode.ControlBlockInvalid, raw => AfterSegment(raw, () => raw.Publish(5, Layout(), indexSlot: 200))),
        ["newest frame is not there"] = (ErrorCode.ControlBlockInvalid, raw => AfterSegment(raw, () => raw.SetHead(17))),
        ["sequence beyond 2^56"] = (ErrorCode.ControlBlockInvalid, raw => AfterSegment(raw, () => raw.SetHead(ulong.MaxValue))),
        ["frame in a segment that was never announced"] = (ErrorCode.FrameInvalid, raw => AfterSegment(raw, () => raw.Publish(1, Layout(), segment: 77))),
    };

    private static byte[] WithTwoStarts(WelcomeMessage welcome)
    {
        byte[] packet = (welcome with { Start = 0 }).Write(new byte[4096], 1).ToArray();
        byte[] twice = [.. packet, .. packet.AsSpan(packet.Length - 16)];
        BinaryPrimitives.WriteUInt32LittleEndian(twice.AsSpan(MessageHeaderLayout.PayloadLengthOffset), (uint)(twice.Length - MessageHeaderLayout.Size));
        return twice;
    }

    private static void Tensor(RawPublisher raw, Change change) => Frame(raw, (ref Picture picture) =>
    {
        picture = Picture.Create(PixelFormat.RgbpF32, 33, 20, out _);
        change(ref picture);
    });

    public static TheoryData<string> Names() => [.. Attacks.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task It_is_left_with_a_code_and_nothing_stays_open(string attack)
    {
        (ErrorCode code, Action<RawPublisher> prepare) = Attacks[attack];
        int descriptors = OwnProcess.Descriptors();
        int mappings = OwnProcess.Mappings();
        using (RawPublisher raw = new())
        {
            prepare(raw);
            Task serving = raw.Serve();
            ProtocolException error = Assert.Throws<ProtocolException>(() =>
            {
                using FrameSubscriber subscriber = raw.Connect();
                subscriber.TryNext(Patience, out _);
            });
            Assert.Equal(code, error.Code);
            await serving.WaitAsync(Patience, TestContext.Current.CancellationToken);
            Assert.Equal(code, raw.Bye);
        }

        Assert.True(OwnProcess.Descriptors() <= descriptors);
        Assert.True(OwnProcess.Mappings() <= mappings);
    }

    [Fact]
    public async Task A_head_that_goes_back_is_noticed_and_held_frames_stay()
    {
        using RawPublisher raw = new();
        FrameStampInto(raw);
        AfterSegment(raw, () => raw.Publish(5, Layout()));
        Task serving = raw.Serve();
        using (FrameSubscriber subscriber = raw.Connect())
        {
            Frame frame = subscriber.Next(Patience);
            raw.SetHead(3);
            Assert.Equal(ErrorCode.ControlBlockInvalid, Assert.Throws<ProtocolException>(() => subscriber.TryTake(out _)).Code);
            Assert.Equal(42, frame.Plane(0).Row(0)[0]);
            frame.Dispose();
        }

        await serving.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_slot_that_is_reused_under_a_lease_is_noticed()
    {
        using RawPublisher raw = new();
        AfterSegment(raw, () => raw.Publish(5, Layout()));
        Task serving = raw.Serve();
        using (FrameSubscriber subscriber = raw.Connect())
        {
            Frame frame = subscriber.Next(Patience);
            raw.Publish(6, Layout());
            Assert.False(frame.IsValid);
            Assert.Equal(ErrorCode.FrameInvalid, Assert.Throws<ProtocolException>(() => subscriber.TryTake(out _)).Code);
            frame.Dispose();
        }

        await serving.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(ErrorCode.FrameInvalid, raw.Bye);
    }

    [Theory]
    [InlineData(PixelFormat.Nv12)]
    [InlineData(PixelFormat.I420)]
    [InlineData(PixelFormat.P010)]
    [InlineData(PixelFormat.Rgb24)]
    public async Task The_crop_is_applied_by_the_reader(PixelFormat format)
    {
        // 1080 rows of 1088, as decoders have it, in small: 60 visible rows of 68, 50 visible columns of 64.
        Picture planes = Picture.Create(format, 64, 68, out _);
        Picture cropped = planes;
        (cropped.Width, cropped.Height, cropped.CropLeft, cropped.CropTop, cropped.CropRight, cropped.CropBottom) = (50, 60, 6, 2, 8, 6);
        using RawPublisher raw = new();
        byte[] content = new byte[1 << 20];
        new Random(5).NextBytes(content);
        content.CopyTo(raw.Segment.Mapping.Slice(0, content.Length));
        AfterSegment(raw, () => raw.Publish(1, cropped));
        Task serving = raw.Serve();
        using (FrameSubscriber subscriber = raw.Connect())
        {
            using Frame frame = subscriber.Next(Patience);
            Assert.Equal((50, 60), (frame.Width, frame.Height));
            for (int index = 0; index < frame.PlaneCount; index++)
            {
                FramePlane plane = frame.Plane(index);
                int top = index == 0 || !PixelFormats.IsSubsampled(format) ? 2 : 1;
                int left = PixelFormats.RowBytes(format, index, 6);
                Assert.Equal((PixelFormats.Rows(format, index, 60), PixelFormats.RowBytes(format, index, 50)), (plane.Rows, plane.RowBytes));
                for (int row = 0; row < plane.Rows; row++)
                {
                    int offset = (int)planes.PlaneOffset[index] + ((top + row) * (int)planes.PlanePitch[index]) + left;
                    Assert.True(plane.Row(row).SequenceEqual(content.AsSpan(offset, plane.RowBytes)), $"plane {index}, row {row}");
                }
            }
        }

        await serving.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    private static SegmentDescription Described(RawPublisher raw, ulong size) => raw.Segment.Description with { Size = size };

    private static Picture Layout() => Picture.Create(PixelFormat.Gray8, 64, 48, out _);

    private static void FrameStampInto(RawPublisher raw) => raw.Segment.Mapping.Slice(0, 4096).Fill(42);

    private static void AfterSegment(RawPublisher raw, Action act) => raw.AfterWelcome = socket =>
    {
        raw.SendSegment(socket);
        act();
    };

    private delegate void Change(ref Picture picture);

    private static void Frame(RawPublisher raw, Change change) => AfterSegment(raw, () =>
    {
        Picture picture = Layout();
        change(ref picture);
        raw.Publish(1, picture);
    });
}
