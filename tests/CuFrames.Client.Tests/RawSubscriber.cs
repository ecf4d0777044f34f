using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Tests;

/// <summary>A subscriber made of a bare socket: it does what a test tells it, also what no subscriber may do.</summary>
internal sealed unsafe class RawSubscriber : IDisposable
{
    private readonly DescriptorSet _descriptors = new();
    private readonly byte[] _buffer = new byte[Wire.MaxMessageSize];
    private MemoryMapping? _page;

    public RawSubscriber(string directory, string key) =>
        Socket = UnixSocket.Connect(Path.Combine(directory, key + ".sock"), 90_000);

    public UnixSocket Socket { get; }

    public WelcomeMessage? Welcome { get; private set; }

    public FileDescriptor? ControlFile { get; private set; }

    public FileDescriptor? PageFile { get; private set; }

    public List<FileDescriptor> SegmentFiles { get; } = [];

    public SubscriberPage Page => new(_page!.Pointer);

    /// <summary>Lease words and all others of the page, as bytes.</summary>
    public Span<byte> PageBytes => _page!.Slice(0, SubscriberPageLayout.Size);

    public void SetCursor(ulong value)
    {
        SubscriberPage page = Page;
        page.Cursor = value;
    }

    /// <summary>Does the handshake of a well-behaved subscriber.</summary>
    public RawSubscriber Join(Delivery delivery = Delivery.InOrder, uint leases = 2, DomainOffer? domain = null, Fence fences = Fence.Cpu)
    {
        Send(new HelloMessage { Program = "raw", Delivery = delivery, Leases = leases, Domains = [domain ?? DomainOffer.Host], Fences = fences, Wakes = Wake.Futex | Wake.Doorbell }.Write(_buffer));
        ReceiveResult result = Socket.Receive(_buffer, _descriptors, 90_000);
        if (result.Status != ReceiveStatus.Received || _descriptors.Count != 2)
        {
            throw new InvalidOperationException($"The publisher did not welcome us: {result.Status}.");
        }

        Welcome = WelcomeMessage.Read(_buffer.AsSpan(MessageHeaderLayout.Size, result.Length - MessageHeaderLayout.Size));
        ControlFile = _descriptors.Take(0);
        PageFile = _descriptors.Take(1);
        _page = MemoryMapping.Map(PageFile, SubscriberPageLayout.FileSize, MappingAccess.ReadWrite);
        return this;
    }

    /// <summary>Receives the first segment.</summary>
    public RawSubscriber TakeSegment()
    {
        ReceiveResult result = Socket.Receive(_buffer, _descriptors, 90_000);
        if (result.Status != ReceiveStatus.Received || _descriptors.Count != 1)
        {
            throw new InvalidOperationException($"No segment came: {result.Status}.");
        }

        SegmentFiles.Add(_descriptors.Take(0));
        return this;
    }

    public void Send(ReadOnlySpan<byte> packet, params FileDescriptor[] descriptors) => Socket.Send(packet, descriptors, 90_000);

    /// <summary>Waits for REFUSE or NOTICE EVICTED, then for the hang-up.</summary>
    /// <returns>The code that was given; NONE when there was a hang-up only.</returns>
    public ErrorCode ReadVerdict()
    {
        ErrorCode code = ErrorCode.None;
        while (true)
        {
            ReceiveResult result = Socket.Receive(_buffer, _descriptors, 90_000);
            switch (result.Status)
            {
                case ReceiveStatus.PeerGone:
                    return code;
                case ReceiveStatus.WouldBlock:
                    throw new TimeoutException("The publisher neither refused nor evicted.");
            }

            MessageHeader header = MessageHeader.Read(_buffer.AsSpan(0, result.Length));
            ReadOnlySpan<byte> payload = _buffer.AsSpan(MessageHeaderLayout.Size, result.Length - MessageHeaderLayout.Size);
            if (header.Type == MessageType.Refuse)
            {
                code = RefuseMessage.ReadRefuse(payload).Code;
            }
            else if (header.Type == MessageType.Notice && NoticeMessage.Read(payload) is { Kind: NoticeKind.Evicted } notice)
            {
                code = notice.Code;
            }
        }
    }

    public void Dispose()
    {
        Socket.Dispose();
        _descriptors.Dispose();
        _page?.Dispose();
        ControlFile?.Dispose();
        PageFile?.Dispose();
        SegmentFiles.ForEach(file => file.Dispose());
    }
}
