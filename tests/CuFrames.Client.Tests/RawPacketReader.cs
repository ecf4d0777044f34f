using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Tests;

/// <summary>A subscriber of packets made of a bare socket: it does what a test tells it, also what no subscriber may do.</summary>
internal sealed unsafe class RawPacketReader : IDisposable
{
    private readonly DescriptorSet _descriptors = new();
    private readonly byte[] _buffer = new byte[Wire.MaxMessageSize];
    private readonly UnixSocket _socket;
    private readonly FileDescriptor _pageFile;
    private readonly MemoryMapping _page;

    /// <summary>Does the handshake of a well-behaved subscriber.</summary>
    public RawPacketReader(string directory, string key)
    {
        _socket = UnixSocket.Connect(Path.Combine(directory, key + "+packets.sock"), 90_000);
        Send(new HelloMessage { Program = "raw", IsForPackets = true }.Write(_buffer));
        ReceiveResult result = _socket.Receive(_buffer, _descriptors, 90_000);
        if (result.Status != ReceiveStatus.Received || _descriptors.Count != 2)
        {
            throw new InvalidOperationException($"The publisher did not welcome us: {result.Status}.");
        }

        Welcome = PacketWelcomeMessage.Read(_buffer.AsSpan(MessageHeaderLayout.Size, result.Length - MessageHeaderLayout.Size));
        BlockFile = _descriptors.Take(0);
        _pageFile = _descriptors.Take(1);
        _page = MemoryMapping.Map(_pageFile, SubscriberPageLayout.FileSize, MappingAccess.ReadWrite);
    }

    public PacketWelcomeMessage Welcome { get; }

    public FileDescriptor BlockFile { get; }

    public SubscriberPage Page => new(_page.Pointer);

    /// <summary>All words of the page, as bytes.</summary>
    public Span<byte> PageBytes => _page.Slice(0, SubscriberPageLayout.Size);

    public void Send(ReadOnlySpan<byte> message) => _socket.Send(message, [], 90_000);

    public NoticeMessage ReceiveNotice()
    {
        ReceiveResult result = _socket.Receive(_buffer, _descriptors, 90_000);
        return result.Status == ReceiveStatus.Received && MessageHeader.Read(_buffer.AsSpan(0, result.Length)).Type == MessageType.Notice
            ? NoticeMessage.Read(_buffer.AsSpan(MessageHeaderLayout.Size, result.Length - MessageHeaderLayout.Size))
            : throw new InvalidOperationException($"No NOTICE came: {result.Status}.");
    }

    public void Dispose()
    {
        _page.Dispose();
        _pageFile.Dispose();
        BlockFile.Dispose();
        _descriptors.Dispose();
        _socket.Dispose();
    }
}
