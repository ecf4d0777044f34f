using System.Buffers.Binary;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>What protocol/test-vectors has for a subscriber, shown to a real one by a publisher that is made of bytes.</summary>
public sealed class SubscriberVectorTests
{
    private const string Key = "front-door@small";
    private const uint KnownSegment = 5;

    private static readonly IReadOnlyList<JsonElement> MessageVectors =
        [.. VectorFile.Read("messages.json", "receiver", "descriptors").Where(vector => vector.GetProperty("receiver").GetString() == "subscriber")];

    private static readonly IReadOnlyList<JsonElement> BlockVectors = VectorFile.Read("control-blocks.json", "size", "welcome_epoch");
    private static readonly IReadOnlyList<JsonElement> EntryVectors = VectorFile.Read("index-entries.json", "sequence", "entry", "offset", "slot");

    public static TheoryData<string> Messages => VectorFile.Names(MessageVectors);

    public static TheoryData<string> Blocks => VectorFile.Names(BlockVectors);

    public static TheoryData<string> Entries => VectorFile.Names(EntryVectors);

    [Theory]
    [MemberData(nameof(Messages))]
    public async Task A_subscriber_receives(string name)
    {
        JsonElement vector = VectorFile.Get(MessageVectors, name);
        byte[] packet = VectorFile.Bytes(vector);
        int descriptors = vector.GetProperty("descriptors").GetInt32();
        ErrorCode? error = VectorFile.Error(vector);
        using Stage stage = new();
        if (name == "welcome-to-a-probe")
        {
            Task<WelcomeMessage> probe = Task.Run(() => StreamConnection.Probe(Key, stage.Folder, "vectors"));
            using UnixSocket toProbe = stage.Accept();
            Packets.Send(toProbe, packet, descriptors);
            Assert.Equal(Key, (await probe).Key);
            return;
        }

        MessageType type = (MessageType)packet[MessageHeaderLayout.TypeOffset];
        bool isAnswer = type is MessageType.Welcome or MessageType.Refuse;
        Task<FrameSubscriber> connecting = stage.Connect();
        using UnixSocket socket = stage.Accept();
        if (isAnswer)
        {
            // Two descriptors are those of a sound WELCOME; any other number is refused before it is looked at.
            if (descriptors == 2)
            {
                Packets.Send(socket, packet, [stage.Block, stage.Page]);
            }
            else
            {
                Packets.Send(socket, packet, descriptors);
            }
        }
        else
        {
            Packets.Send(socket, VectorFile.Bytes(VectorFile.Get(MessageVectors, "welcome")), [stage.Block, stage.Page]);
        }

        if (error is not null && isAnswer)
        {
            ProtocolException refused = await Assert.ThrowsAsync<ProtocolException>(() => connecting);
            Assert.Equal(error, refused.Code);
            AssertBye(socket, error.Value);
            return;
        }

        if (type == MessageType.Refuse)
        {
            StreamUnavailableException refused = await Assert.ThrowsAsync<StreamUnavailableException>(() => connecting);
            Assert.Equal(RefuseMessage.ReadRefuse(packet.AsSpan(16)).Code, refused.Code);
            Assert.Null(Packets.Receive(socket, out _));
            return;
        }

        using FrameSubscriber subscriber = await connecting;
        Assert.Equal((4, Stage.Epoch), (subscriber.GrantedLeases, subscriber.Epoch));
        if (!isAnswer)
        {
            SendInActive(stage, socket, subscriber, packet, descriptors, error, name);
        }
    }

    [Theory]
    [MemberData(nameof(Blocks))]
    public async Task A_subscriber_maps_a_control_block(string name)
    {
        JsonElement vector = VectorFile.Get(BlockVectors, name);
        int size = vector.GetProperty("size").GetInt32();
        byte[] block = new byte[size];
        byte[] head = VectorFile.Bytes(vector);
        head.AsSpan(0, Math.Min(head.Length, size)).CopyTo(block);
        Assert.Equal(Stage.Epoch, VectorFile.UInt64(vector, "welcome_epoch"));
        using Stage stage = new(block);
        Task<FrameSubscriber> connecting = stage.Connect();
        using UnixSocket socket = stage.Accept();
        Packets.Send(socket, VectorFile.Bytes(VectorFile.Get(MessageVectors, "welcome")), [stage.Block, stage.Page]);
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(error, (await Assert.ThrowsAsync<ProtocolException>(() => connecting)).Code);
            AssertBye(socket, error);
            return;
        }

        using FrameSubscriber subscriber = await connecting;
        Assert.True(subscriber.IsConnected);
    }

    [Theory]
    [MemberData(nameof(Entries))]
    public async Task A_subscriber_reads_an_index_entry(string name)
    {
        JsonElement vector = VectorFile.Get(EntryVectors, name);
        Assert.Null(VectorFile.Error(vector));
        ulong sequence = VectorFile.UInt64(vector, "sequence");
        JsonElement slot = vector.GetProperty("slot");
        using Stage stage = new();
        stage.SetU64(ControlBlockLayout.HeadOffset, sequence - 1);
        Task<FrameSubscriber> connecting = stage.Connect();
        using UnixSocket socket = stage.Accept();
        Packets.Send(socket, VectorFile.Bytes(VectorFile.Get(MessageVectors, "welcome")), [stage.Block, stage.Page]);
        using FrameSubscriber subscriber = await connecting;
        stage.SendSegment(socket);

        // The frame before is gone, the one of the vector may be there, the one after it is, where there can be one.
        VectorFile.Bytes(vector).CopyTo(stage.Bytes[vector.GetProperty("offset").GetInt32()..]);
        if (slot.ValueKind == JsonValueKind.Number)
        {
            stage.SetFrame(slot.GetInt32(), sequence);
        }

        bool isLast = sequence == ControlBlockLayout.SequenceLimit - 1;
        Assert.False(isLast && slot.ValueKind == JsonValueKind.Null, "Nothing comes after this frame; the test cannot tell that it is gone.");
        if (!isLast)
        {
            stage.SetFrame(11, sequence + 1);
            stage.SetU64(ControlBlockLayout.IndexEntryOffset(sequence + 1), ((sequence + 1) << 8) | 11);
        }

        stage.SetU64(ControlBlockLayout.HeadOffset, isLast ? sequence : sequence + 1);
        Assert.True(subscriber.TryTake(out Frame frame));
        using (frame)
        {
            Assert.Equal(slot.ValueKind == JsonValueKind.Number ? sequence : sequence + 1, frame.Sequence);
            int leased = slot.ValueKind == JsonValueKind.Number ? slot.GetInt32() : 11;
            Assert.Equal(frame.Sequence, stage.LeaseOf(leased));
        }
    }

    private static void SendInActive(
        Stage stage, UnixSocket socket, FrameSubscriber subscriber, byte[] packet, int descriptors, ErrorCode? error, string name)
    {
        if ((MessageType)packet[MessageHeaderLayout.TypeOffset] == MessageType.Retire)
        {
            stage.SendSegment(socket);
            Assert.False(subscriber.TryTake(out _));
            Assert.Equal((MessageType.SegmentReady, KnownSegment), Answer(socket));
        }

        if (name is "segment-host")
        {
            using FileDescriptor file = Stage.Memfd(25067520, Stage.ReadOnlySeals, out MemoryMapping mapping);
            mapping.Dispose();
            Packets.Send(socket, packet, [file]);
        }
        else
        {
            Packets.Send(socket, packet, descriptors);
        }

        stage.SetU32(ControlBlockLayout.ControlMessagesOffset, 77);
        if (name == "segment-cuda-ipc")
        {
            // Sound, but this subscriber has offered host memory only.
            error = ErrorCode.SegmentInvalid;
        }

        if (error is not null)
        {
            Assert.Equal(error, Refusal.Of(() => subscriber.TryTake(out _)).Code);
            AssertBye(socket, error.Value);
            return;
        }

        Assert.False(subscriber.TryTake(out _));
        MessageType type = Packets.TypeOf(packet);
        Assert.Equal(type is MessageType.Segment or MessageType.Retire or MessageType.Doorbell, subscriber.IsConnected);
        switch (type)
        {
            case MessageType.Segment:
                Assert.Equal((MessageType.SegmentReady, KnownSegment), Answer(socket));
                break;
            case MessageType.Retire:
                Assert.Equal((MessageType.Retired, KnownSegment), Answer(socket));
                break;
            case MessageType.Notice or MessageType.Bye or MessageType.Doorbell:
                // No answer: what a subscriber says, it says before TryTake returns.
                Assert.Null(Packets.Receive(socket, out _, timeoutMilliseconds: 0));
                break;
            default:
                throw new InvalidOperationException($"No test knows what a subscriber does on {type}.");
        }
    }

    private static (MessageType Type, uint Segment) Answer(UnixSocket socket)
    {
        byte[] packet = Packets.Receive(socket, out _)!;
        Assert.NotNull(packet);
        return (Packets.TypeOf(packet), SegmentIdMessage.Read(packet.AsSpan(16)));
    }

    private static void AssertBye(UnixSocket socket, ErrorCode code)
    {
        byte[] packet = Packets.Receive(socket, out _)!;
        Assert.NotNull(packet);
        Assert.Equal(MessageType.Bye, Packets.TypeOf(packet));
        Assert.Equal(code, RefuseMessage.Read(packet.AsSpan(16)).Code);
        Assert.Null(Packets.Receive(socket, out _));
    }

    /// <summary>A folder with a listening socket, and the memory that goes with the vector "welcome".</summary>
    private sealed class Stage : IDisposable
    {
        public const ulong Epoch = 18364758544493064720;
        public const MemoryFileSeals ReadOnlySeals = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

        private const long SegmentSize = 25067520;

        private readonly UnixSocket _listener;
        private readonly MemoryMapping _block;
        private readonly MemoryMapping _page;

        public Stage(byte[]? block = null)
        {
            Folder = Directory.CreateTempSubdirectory("cuframes-vectors-").FullName;
            _listener = UnixSocket.Listen(Path.Combine(Folder, Key + ".sock"), 4, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            Block = Memfd(block?.Length ?? ControlBlockLayout.Size, ReadOnlySeals, out _block);
            (block ?? VectorFile.Bytes(VectorFile.Get(BlockVectors, "before-the-first-frame"))).CopyTo(_block.Slice(0, (int)_block.Length));
            Page = Memfd(SubscriberPageLayout.FileSize, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink, out _page);
            BinaryPrimitives.WriteUInt64LittleEndian(_page.Slice(SubscriberPageLayout.MagicOffset, 8), Wire.SubscriberPageMagic);
            BinaryPrimitives.WriteUInt64LittleEndian(_page.Slice(SubscriberPageLayout.SubscriberIdOffset, 8), 3);
        }

        public string Folder { get; }

        public FileDescriptor Block { get; }

        public FileDescriptor Page { get; }

        public Span<byte> Bytes => _block.Slice(0, (int)_block.Length);

        public static FileDescriptor Memfd(long size, MemoryFileSeals seals, out MemoryMapping mapping)
        {
            FileDescriptor file = MemoryFile.Create("cuframes-vectors", size, allocate: false);
            mapping = MemoryMapping.Map(file, size, MappingAccess.ReadWrite);
            MemoryFile.AddSeals(file, seals);
            return file;
        }

        /// <summary>Connects in another thread, as the vectors' subscriber does: in order, with 4 leases.</summary>
        public Task<FrameSubscriber> Connect() => Task.Run(() => FrameSubscriber.Connect(
            Key, new SubscriberOptions { Directory = Folder, Delivery = Delivery.InOrder, Leases = 4, Reconnect = false }));

        /// <summary>Takes the connection and its HELLO.</summary>
        public UnixSocket Accept()
        {
            UnixSocket? socket;
            while (!_listener.TryAccept(out socket))
            {
                Assert.NotEqual(IoEvents.None, _listener.Poll(IoEvents.Readable, 90_000));
            }

            byte[] hello = Packets.Receive(socket, out int descriptors)!;
            Assert.Equal((MessageType.Hello, 0), (Packets.TypeOf(hello), descriptors));
            return socket;
        }

        public void SendSegment(UnixSocket socket)
        {
            using FileDescriptor file = Memfd(SegmentSize, ReadOnlySeals, out MemoryMapping mapping);
            mapping.Dispose();
            Packets.Send(socket, VectorFile.Bytes(VectorFile.Get(MessageVectors, "segment-host")), [file]);
            SetU32(ControlBlockLayout.ControlMessagesOffset, 76);
        }

        public void SetFrame(int slot, ulong sequence)
        {
            int at = ControlBlockLayout.SlotOffset(slot);
            SetU64(at + SlotLayout.StateOffset, sequence);
            SetU32(at + SlotLayout.SegmentIdOffset, KnownSegment);
            System.Runtime.InteropServices.MemoryMarshal.Write(Bytes[(at + SlotLayout.PictureOffset)..], Picture.Create(PixelFormat.Nv12, 64, 64, out _));
        }

        public void SetU64(int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Bytes[offset..], value);

        public void SetU32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Bytes[offset..], value);

        public ulong LeaseOf(int slot) => BinaryPrimitives.ReadUInt64LittleEndian(_page.Slice(SubscriberPageLayout.LeaseOffset(slot), 8));

        public void Dispose()
        {
            _listener.Dispose();
            _block.Dispose();
            _page.Dispose();
            Block.Dispose();
            Page.Dispose();
            Directory.Delete(Folder, recursive: true);
        }
    }
}
