using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using CuFrames.TestKit;

namespace CuFrames.Client.Tests;

/// <summary>A publisher made of a bare socket: it does what a test tells it, also what no publisher may do.</summary>
internal sealed unsafe class RawPublisher : IDisposable
{
    public const string Key = "raw";
    public const ulong Epoch = 0x1234_5678;
    private const MemoryFileSeals Sealed = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

    private readonly UnixSocket _listener;
    private readonly DescriptorSet _descriptors = new();
    private readonly byte[] _buffer = new byte[Wire.MaxMessageSize];
    private readonly List<IDisposable> _owned = [];
    private readonly MemoryMapping _control;

    public RawPublisher()
    {
        _listener = UnixSocket.Listen(Path.Combine(Directory.Path, Key + ".sock"), 8, (UnixFileMode)0b110_110_110);
        ControlFile = Own(MemoryFile.Create("cuframes-raw", ControlBlockLayout.Size));
        _control = Own(MemoryMapping.Map(ControlFile, ControlBlockLayout.Size, MappingAccess.ReadWrite));
        Block.Initialise(Epoch);
        MemoryFile.AddSeals(ControlFile, Sealed);
        PageFile = MakeFile(SubscriberPageLayout.FileSize, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink, mapping => new SubscriberPage(mapping.Pointer).Initialise(7));
        Segment = Own(HostSegment.Create(1, 1, 1 << 20, 4));
        Welcome = new WelcomeMessage
        {
            Epoch = Epoch,
            Key = Key,
            SubscriberId = 7,
            Delivery = Delivery.InOrder,
            Leases = 2,
        };
    }

    public TemporaryDirectory Directory { get; } = new();

    public FileDescriptor ControlFile { get; set; }

    public FileDescriptor PageFile { get; set; }

    public HostSegment Segment { get; }

    public WelcomeMessage Welcome { get; set; }

    public ControlBlock Block => new(_control.Pointer);

    /// <summary>What is sent instead of WELCOME.</summary>
    public byte[]? Answer { get; set; }

    public List<FileDescriptor>? AnswerDescriptors { get; set; }

    /// <summary>What happens after WELCOME.</summary>
    public Action<UnixSocket> AfterWelcome { get; set; } = _ => { };

    /// <summary>What the subscriber said in its BYE; null when it did not say BYE.</summary>
    public ErrorCode? Bye { get; private set; }

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

    /// <summary>A descriptor that is no memfd.</summary>
    public FileDescriptor MakeOrdinaryFile(int size)
    {
        string path = Path.Combine(Directory.Path, "ordinary");
        File.WriteAllBytes(path, new byte[size]);
        FileStream stream = Own(File.OpenRead(path));
        using FileDescriptor borrowed = FileDescriptor.Own((int)stream.SafeFileHandle.DangerousGetHandle());
        FileDescriptor copy = Own(borrowed.Duplicate());
        borrowed.SetHandleAsInvalid();
        return copy;
    }

    /// <summary>Serves one subscriber until it hangs up.</summary>
    public Task Serve() => Task.Factory.StartNew(ServeOne, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public void SendSegment(UnixSocket socket, SegmentDescription? description = null, FileDescriptor? file = null) =>
        socket.Send(new SegmentMessage(description ?? Segment.Description, default).Write(_buffer), [file ?? Segment.File], 90_000);

    /// <summary>Puts a frame into a slot and makes it the newest.</summary>
    public void Publish(ulong sequence, Picture picture, uint segment = 1, int slot = 0, int? indexSlot = null)
    {
        Block.WriteDescriptor(slot, segment, 1, default, picture);
        Block.SetSlotState(slot, sequence);
        Block.SetIndexEntry(sequence, indexSlot ?? slot);
        ControlBlock block = Block;
        block.Head = sequence;
    }

    public void SetHead(ulong head)
    {
        ControlBlock block = Block;
        block.Head = head;
    }

    public FrameSubscriber Connect() =>
        FrameSubscriber.Connect(Key, new SubscriberOptions { Directory = Directory.Path, Delivery = Delivery.InOrder, Leases = 2, Reconnect = false });

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
            socket.Send(answer, (AnswerDescriptors ?? [ControlFile, PageFile]).ToArray(), 90_000);
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
