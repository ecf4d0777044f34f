using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using CuFrames.TestKit;

namespace CuFrames.Client.Tests;

/// <summary>A publisher of packets made of a bare socket: it does what a test tells it, also what no publisher may do.</summary>
internal sealed unsafe class RawPacketPublisher : IDisposable
{
    public const string Key = "raw";
    public const ulong Epoch = 0x1234_5678;
    public const int IndexCapacity = 16;
    public const long ByteCapacity = 65536;
    private const MemoryFileSeals Sealed = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

    private readonly UnixSocket _listener;
    private readonly DescriptorSet _descriptors = new();
    private readonly byte[] _buffer = new byte[Wire.MaxMessageSize];
    private readonly List<IDisposable> _owned = [];
    private readonly MemoryMapping _mapping;

    public RawPacketPublisher()
    {
        _listener = UnixSocket.Listen(Path.Combine(Directory.Path, Key + "+packets.sock"), 8, (UnixFileMode)0b110_110_110);
        long size = PacketBlock.SizeOf(IndexCapacity, ByteCapacity);
        BlockFile = Own(MemoryFile.Create("cuframes-raw", size));
        _mapping = Own(MemoryMapping.Map(BlockFile, size, MappingAccess.ReadWrite));
        Block.Initialise(Epoch);
        Ring = new PacketRingWriter(Block, 0);
        Ring.AddTrack(TrackKind.Video, "", StampedPackets.Video(1));
        MemoryFile.AddSeals(BlockFile, Sealed);
        PageFile = MakeFile(SubscriberPageLayout.FileSize, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink, mapping => new SubscriberPage(mapping.Pointer).Initialise(7));
        Welcome = new PacketWelcomeMessage { Epoch = Epoch, Key = Key, SubscriberId = 7 };
    }

    public TemporaryDirectory Directory { get; } = new();

    public FileDescriptor BlockFile { get; set; }

    public FileDescriptor PageFile { get; set; }

    public PacketWelcomeMessage Welcome { get; set; }

    public PacketBlock Block => new(_mapping.Pointer, IndexCapacity, ByteCapacity);

    public PacketRingWriter Ring { get; }

    /// <summary>What is sent instead of WELCOME.</summary>
    public byte[]? Answer { get; set; }

    public List<FileDescriptor>? AnswerDescriptors { get; set; }

    /// <summary>What happens after WELCOME.</summary>
    public Action<UnixSocket> AfterWelcome { get; set; } = _ => { };

    /// <summary>What the subscriber said in its BYE; null when it did not say BYE.</summary>
    public ErrorCode? Bye { get; private set; }

    public Span<byte> BlockBytes(int offset, int length) => _mapping.Slice(offset, length);

    public void SetU32(int offset, uint value) => BitConverter.TryWriteBytes(_mapping.Slice(offset, 4), value);

    public void SetU64(int offset, ulong value) => BitConverter.TryWriteBytes(_mapping.Slice(offset, 8), value);

    /// <summary>Publishes a sound key packet, and then changes its descriptor.</summary>
    public void PublishBroken(int fieldOffset, ulong value, int size = 8)
    {
        ulong sequence = Ring.Write(0, [1, 2, 3], new PacketMetadata { Flags = PacketFlags.Key }, 1);
        int offset = (int)PacketDescriptorLayout.EntryOffset(sequence, IndexCapacity) + fieldOffset;
        if (size == 8)
        {
            SetU64(offset, value);
        }
        else
        {
            SetU32(offset, (uint)value);
        }
    }

    public T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    public FileDescriptor MakeFile(long size, MemoryFileSeals seals, Action<MemoryMapping>? fill = null)
    {
        FileDescriptor file = Own(MemoryFile.Create("cuframes-raw", size));
        using MemoryMapping mapping = MemoryMapping.Map(file, size, MappingAccess.ReadWrite);
        fill?.Invoke(mapping);
        if (seals != MemoryFileSeals.None)
        {
            MemoryFile.AddSeals(file, seals);
        }

        return file;
    }

    /// <summary>Serves one subscriber until it hangs up.</summary>
    public Task Serve() => Task.Factory.StartNew(ServeOne, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public PacketSubscriber Connect() =>
        PacketSubscriber.Connect(Key, new PacketSubscriberOptions { Directory = Directory.Path, Start = PacketStart.OldestKey, Reconnect = false });

    public void Dispose()
    {
        _listener.Dispose();
        _descriptors.Dispose();
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }

        Directory.Dispose();
    }

    private void ServeOne()
    {
        _listener.Poll(IoEvents.Readable, 90_000);
        if (!_listener.TryAccept(out UnixSocket? socket))
        {
            throw new TimeoutException("No subscriber came.");
        }

        using (socket)
        {
            socket.Receive(_buffer, _descriptors, 90_000);
            byte[] answer = Answer ?? Welcome.Write(_buffer, 1).ToArray();
            socket.Send(answer, (AnswerDescriptors ?? [BlockFile, PageFile]).ToArray(), 90_000);
            AfterWelcome(socket);
            while (true)
            {
                ReceiveResult result = socket.Receive(_buffer, _descriptors, 90_000);
                if (result.Status != ReceiveStatus.Received)
                {
                    return;
                }

                if (MessageHeader.Read(_buffer.AsSpan(0, result.Length)).Type == MessageType.Bye)
                {
                    Bye = RefuseMessage.Read(_buffer.AsSpan(MessageHeaderLayout.Size, result.Length - MessageHeaderLayout.Size)).Code;
                }
            }
        }
    }
}
