using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Publishers and subscribers of packets that break the protocol.</summary>
public class HostilePacketTests
{
    private const MemoryFileSeals Sealed = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    /// <summary>What a hostile publisher does, and the code that its subscriber leaves with.</summary>
    internal static Dictionary<string, (ErrorCode Code, Action<RawPacketPublisher> Prepare)> Attacks { get; } = new()
    {
        ["block is not sealed"] = (ErrorCode.ControlBlockInvalid, raw => raw.BlockFile = Copy(raw, MemoryFileSeals.None)),
        ["block may be written"] = (ErrorCode.ControlBlockInvalid, raw => raw.BlockFile = Copy(raw, Sealed & ~MemoryFileSeals.FutureWrite)),
        ["block may be cut"] = (ErrorCode.ControlBlockInvalid, raw => raw.BlockFile = Copy(raw, Sealed & ~MemoryFileSeals.Shrink)),
        ["block is a page of nothing"] = (ErrorCode.ControlBlockInvalid, raw => raw.BlockFile = raw.MakeFile(4096, Sealed)),
        ["block is empty of meaning"] = (ErrorCode.ControlBlockInvalid, raw => raw.BlockFile = raw.MakeFile(PacketBlock.SizeOf(16, 65536), Sealed)),
        ["block ends one byte too early"] = (ErrorCode.ControlBlockInvalid, raw => raw.BlockFile = Copy(raw, Sealed, -1)),
        ["block of another epoch"] = (ErrorCode.ControlBlockInvalid, raw => raw.Welcome = raw.Welcome with { Epoch = 99 }),
        ["block names a larger index than it has"] = (ErrorCode.ControlBlockInvalid, raw => raw.SetU32(PacketBlockLayout.IndexCapacityOffset, 32)),
        ["block names an index that is no power of two"] = (ErrorCode.ControlBlockInvalid, raw => raw.SetU32(PacketBlockLayout.IndexCapacityOffset, 24)),
        ["block names an index without end"] = (ErrorCode.ControlBlockInvalid, raw => raw.SetU32(PacketBlockLayout.IndexCapacityOffset, 1u << 31)),
        ["block names a larger byte ring than it has"] = (ErrorCode.ControlBlockInvalid, raw =>
        {
            raw.SetU64(PacketBlockLayout.ByteCapacityOffset, 65536 * 2);
            raw.SetU64(PacketBlockLayout.TotalSizeOffset, (ulong)PacketBlock.SizeOf(16, 65536 * 2));
        }
        ),
        ["block names a byte ring of half the address space"] = (ErrorCode.ControlBlockInvalid, raw => raw.SetU64(PacketBlockLayout.ByteCapacityOffset, 1UL << 63)),
        ["block puts its bytes elsewhere"] = (ErrorCode.ControlBlockInvalid, raw => raw.SetU64(PacketBlockLayout.BytesOffsetOffset, 0)),
        ["page of another subscriber"] = (ErrorCode.ControlBlockInvalid, raw => raw.Welcome = raw.Welcome with { SubscriberId = 8 }),
        ["page is not sealed"] = (ErrorCode.ControlBlockInvalid, raw => raw.PageFile = raw.MakeFile(SubscriberPageLayout.FileSize, MemoryFileSeals.None)),
        ["too few descriptors"] = (ErrorCode.DescriptorCount, raw => raw.AnswerDescriptors = [raw.BlockFile]),
        ["no subscriber id"] = (ErrorCode.ProtocolError, raw => raw.Welcome = raw.Welcome with { SubscriberId = 0 }),
        ["WELCOME of frames"] = (ErrorCode.ProtocolError, raw =>
            raw.Answer = new WelcomeMessage { Epoch = 1, Key = "raw", SubscriberId = 7, Delivery = Delivery.InOrder, Leases = 1 }.Write(new byte[1024], 1).ToArray()),
        ["a segment after WELCOME"] = (ErrorCode.DescriptorCount, raw => raw.AfterWelcome = socket => Tell(raw, socket, true)),
        ["a retirement after WELCOME"] = (ErrorCode.ProtocolError, raw => raw.AfterWelcome = socket => Tell(raw, socket, false)),
        ["nine tracks"] = (ErrorCode.ControlBlockInvalid, raw => raw.SetU32(PacketBlockLayout.TracksOffset, 9)),
        ["a track without parameters"] = (ErrorCode.PacketInvalid, raw => raw.SetU32(PacketBlockLayout.TracksOffset, 2)),
        ["a track of an unknown kind"] = (ErrorCode.PacketInvalid, raw => raw.SetU32(PacketBlockLayout.TrackTableOffset, 77)),
        ["a time base of zero"] = (ErrorCode.PacketInvalid, raw =>
            raw.SetU32(PacketBlockLayout.ParameterSetOffset(0, 1) + TrackParametersLayout.TimeBaseDenominatorOffset, 0)),
        ["extradata past its entry"] = (ErrorCode.PacketInvalid, raw =>
            raw.SetU32(PacketBlockLayout.ParameterSetOffset(0, 1) + TrackParametersLayout.ExtradataSizeOffset, 16129)),
        ["head above the limit"] = (ErrorCode.ControlBlockInvalid, raw => raw.SetU64(PacketBlockLayout.HeadOffset, 1UL << 56)),
        ["oldest above head"] = (ErrorCode.ControlBlockInvalid, raw => raw.SetU64(PacketBlockLayout.OldestOffset, 2)),
        ["oldest is zero"] = (ErrorCode.ControlBlockInvalid, raw => raw.SetU64(PacketBlockLayout.OldestOffset, 0)),
        ["head without packets"] = (ErrorCode.PacketInvalid, raw => raw.SetU64(PacketBlockLayout.HeadOffset, 3)),
        ["a packet of another sequence"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.SequenceOffset, 17)),
        ["a packet of an unknown track"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.TrackOffset, 1, 4)),
        ["a packet of a track far away"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.TrackOffset, uint.MaxValue, 4)),
        ["a packet that reaches past the ring"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.PositionOffset, 65536 - 64)),
        ["a packet whose zeros reach past the ring"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.PositionOffset, 65536 - 64)),
        ["a packet at an odd place"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.PositionOffset, 3)),
        ["a packet of more than half the ring"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.SizeOffset, 32769, 4)),
        ["a packet of four gigabytes"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.SizeOffset, uint.MaxValue, 4)),
        ["a packet of no parameter set"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.ParametersOffset, 0, 4)),
        ["a packet of a parameter set to come"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.ParametersOffset, 2, 4)),
        ["a packet that was never counted"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.CountsOffset, 0)),
        ["a packet whose counts do not add up"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.CountsOffset + 8, 1)),
        ["a packet whose counts overflow"] = (ErrorCode.PacketInvalid, raw => raw.PublishBroken(PacketDescriptorLayout.CountsOffset + 8, ulong.MaxValue)),
    };

    public static TheoryData<string> AttackNames => [.. Attacks.Keys];

    [Theory]
    [MemberData(nameof(AttackNames))]
    public async Task A_hostile_publisher_is_left_with_the_code(string name)
    {
        using RawPacketPublisher raw = new();
        (ErrorCode code, Action<RawPacketPublisher> prepare) = Attacks[name];
        prepare(raw);
        Task serving = raw.Serve();
        CuFramesException error = Assert.ThrowsAny<CuFramesException>(() =>
        {
            using PacketSubscriber subscriber = raw.Connect();
            subscriber.Next(Patience);
        });
        Assert.Equal(code, error.Code);
        await serving;
        Assert.Equal(code, raw.Bye);
    }

    /// <summary>What changes once the reader has begun: words that go back.</summary>
    [Theory]
    [InlineData("head")]
    [InlineData("oldest")]
    [InlineData("tracks")]
    [InlineData("counts")]
    public async Task Words_that_go_back_are_found(string word)
    {
        using RawPacketPublisher raw = new();
        Task serving = raw.Serve();
        PacketMetadata key = new() { Flags = PacketFlags.Key };
        for (int i = 0; i < 20; i++)
        {
            raw.Ring.Write(0, [1, 2, 3], key, 1);
        }

        ErrorCode code;
        using (PacketSubscriber subscriber = raw.Connect())
        {
            Assert.Equal(5UL, subscriber.Next(Patience).Sequence);
            raw.Ring.Write(0, [1], key, 1);
            switch (word)
            {
                case "head":
                    raw.SetU64(PacketBlockLayout.HeadOffset, 4);
                    break;
                case "oldest":
                    raw.SetU64(PacketBlockLayout.OldestOffset, 4);
                    break;
                case "tracks":
                    raw.SetU32(PacketBlockLayout.TracksOffset, 0);
                    break;
                default:
                    // The next packet says that fewer were published than the one before said, with a sum that is right.
                    int entry = (int)PacketDescriptorLayout.EntryOffset(6, RawPacketPublisher.IndexCapacity);
                    raw.SetU64(entry + PacketDescriptorLayout.CountsOffset, 5);
                    raw.SetU64(entry + PacketDescriptorLayout.CountsOffset + 8, 1);
                    break;
            }

            CuFramesException error = Assert.ThrowsAny<CuFramesException>(() => word == "tracks" ? (object)subscriber.Tracks : subscriber.Next(Patience));
            code = error.Code;
            Assert.Equal(word == "counts" ? ErrorCode.PacketInvalid : ErrorCode.ControlBlockInvalid, code);
        }

        await serving;
        Assert.Equal(code, raw.Bye);
    }

    /// <summary>A publisher that moves its words for ever costs a bounded time in each call.</summary>
    [Fact]
    public async Task A_publisher_that_never_lets_a_reader_catch_up_holds_no_call()
    {
        using RawPacketPublisher raw = new();
        Task serving = raw.Serve();
        for (int i = 0; i < 40; i++)
        {
            raw.Ring.Write(0, [1, 2, 3], PacketMetadata.Unknown, 1);
        }

        using (PacketSubscriber subscriber = raw.Connect())
        {
            using CancellationTokenSource end = new();
            Task moving = Task.Run(() =>
            {
                while (!end.IsCancellationRequested)
                {
                    raw.Ring.Write(0, [1], PacketMetadata.Unknown, 1);
                }
            });
            for (int i = 0; i < 2000; i++)
            {
                Assert.False(subscriber.TryTake(out _));
            }

            Assert.False(subscriber.TryNext(TimeSpan.FromMilliseconds(50), out _));
            await end.CancelAsync();
            await moving;
        }

        await serving;
    }

    [Fact]
    public async Task A_silent_publisher_that_dies_is_noticed()
    {
        using RawPacketPublisher raw = new();
        raw.AfterWelcome = socket => socket.Shutdown();
        Task serving = raw.Serve();
        using PacketSubscriber subscriber = raw.Connect();
        Assert.Equal(ErrorCode.Disconnected, Assert.Throws<StreamUnavailableException>(() => subscriber.Next(Patience)).Code);
        await serving;
    }

    /// <summary>The block is what the kernel makes read-only for everybody else.</summary>
    [Fact]
    public void A_subscriber_cannot_write_the_block_nor_map_it_writable()
    {
        using PacketStream stream = new();
        using RawPacketReader raw = new(stream.Directory.Path, PacketStream.Key);
        Assert.Equal(Sealed, raw.BlockFile.GetSeals() & Sealed);
        Assert.Throws<LinuxException>(() => MemoryMapping.Map(raw.BlockFile, 4096, MappingAccess.ReadWrite));
        using MemoryMapping mapping = MemoryMapping.Map(raw.BlockFile, 4096, MappingAccess.ReadOnly);
        Assert.Equal("CUFRPKTS"u8, mapping.ReadOnlySlice(0, 8));
    }

    public static TheoryData<string> PageAttacks => ["cursor above head", "cursor goes back", "lease", "lease above head", "noise"];

    [Theory]
    [MemberData(nameof(PageAttacks))]
    public void A_subscriber_with_a_wrong_page_is_evicted_and_nobody_else_is_harmed(string attack)
    {
        using PacketStream stream = new();
        using PacketSubscriber good = stream.Connect();
        PacketChecker checker = new(good, PacketStream.Largest);
        stream.Publish(10);
        using RawPacketReader raw = new(stream.Directory.Path, PacketStream.Key);
        SubscriberPage page = raw.Page;
        switch (attack)
        {
            case "cursor above head":
                page.Cursor = 11;
                break;
            case "cursor goes back":
                page.Cursor = 9;

                // Several audits see the cursor, also on a machine that is slow to let them.
                Thread.Sleep(3000);
                page.Cursor = 8;
                break;
            case "lease":
                page.Lease(5, 3);
                break;
            case "lease above head":
                page.Lease(63, 1000);
                break;
            default:
                new Random(5).NextBytes(raw.PageBytes);
                break;
        }

        TestStream.Until(() => stream.Events.Any(entry => entry.Kind == PublisherEventKind.SubscriberEvicted), "the eviction");
        PublisherEvent evicted = stream.Events.First(entry => entry.Kind == PublisherEventKind.SubscriberEvicted);
        Assert.Equal(attack == "lease" ? ErrorCode.LeaseQuotaExceeded : ErrorCode.PageInvalid, evicted.Code);
        NoticeMessage notice = raw.ReceiveNotice();
        Assert.Equal((NoticeKind.Evicted, evicted.Code), (notice.Kind, notice.Code));
        for (int i = 0; i < 10; i++)
        {
            checker.Take(good.Next(Patience));
        }

        Assert.Empty(checker.Faults);
        Assert.True(good.IsConnected);
        Assert.Single(stream.Publisher.GetStatistics().Subscribers);
    }

    [Theory]
    [InlineData(MessageType.Hello)]
    [InlineData(MessageType.SegmentReady)]
    [InlineData(MessageType.Event)]
    [InlineData(MessageType.Doorbell)]
    public void A_message_that_packets_do_not_have_leads_to_eviction(MessageType type)
    {
        using PacketStream stream = new();
        using RawPacketReader raw = new(stream.Directory.Path, PacketStream.Key);
        raw.Send(type == MessageType.Hello
            ? new HelloMessage { IsForPackets = true }.Write(new byte[128])
            : SegmentIdMessage.Write(new byte[64], type, 1));
        NoticeMessage notice = raw.ReceiveNotice();
        Assert.Equal((NoticeKind.Evicted, ErrorCode.ProtocolError), (notice.Kind, notice.Code));
    }

    [Fact]
    public void A_hello_for_frames_is_refused()
    {
        using PacketStream stream = new();
        using UnixSocket socket = UnixSocket.Connect(stream.Publisher.SocketPath, 90_000);
        byte[] buffer = new byte[4096];
        socket.Send(new HelloMessage { Leases = 1, Domains = [DomainOffer.Host] }.Write(buffer), [], 90_000);
        using DescriptorSet descriptors = new();
        ReceiveResult result = socket.Receive(buffer, descriptors, 90_000);
        Assert.Equal(ReceiveStatus.Received, result.Status);
        Assert.Equal(MessageType.Refuse, MessageHeader.Read(buffer.AsSpan(0, result.Length)).Type);
        Assert.Equal(ErrorCode.ProtocolError, RefuseMessage.ReadRefuse(buffer.AsSpan(MessageHeaderLayout.Size, result.Length - MessageHeaderLayout.Size)).Code);
    }

    private static FileDescriptor Copy(RawPacketPublisher raw, MemoryFileSeals seals, long more = 0)
    {
        long size = PacketBlock.SizeOf(RawPacketPublisher.IndexCapacity, RawPacketPublisher.ByteCapacity);
        return raw.MakeFile(size + more, seals, mapping => raw.BlockBytes(0, (int)(size + more)).CopyTo(mapping.Slice(0, (int)(size + more))));
    }

    private static void Tell(RawPacketPublisher raw, UnixSocket socket, bool withSegment)
    {
        byte[] buffer = new byte[256];
        if (withSegment)
        {
            SegmentMessage segment = new(new SegmentDescription(1, MemoryDomain.Host, HandleKind.HostMemfd, 1, 4096, Guid.Empty, 1), default);
            socket.Send(segment.Write(buffer), [raw.PageFile], 90_000);
        }
        else
        {
            socket.Send(SegmentIdMessage.Write(buffer, MessageType.Retire, 1), [], 90_000);
        }
    }
}
