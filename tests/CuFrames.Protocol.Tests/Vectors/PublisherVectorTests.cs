using System.Text.Json;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>The messages of protocol/test-vectors that a publisher receives, sent to a real one.</summary>
public sealed class PublisherVectorTests
{
    private const uint KnownSegment = 5;

    private static readonly IReadOnlyList<JsonElement> AllVectors =
        [.. VectorFile.Read("messages.json", "receiver", "descriptors").Where(vector => vector.GetProperty("receiver").GetString() == "publisher")];

    public static TheoryData<string> Vectors => VectorFile.Names(AllVectors);

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Messages(string name)
    {
        JsonElement vector = VectorFile.Get(AllVectors, name);
        byte[] packet = VectorFile.Bytes(vector);
        int descriptors = vector.GetProperty("descriptors").GetInt32();
        ErrorCode? error = VectorFile.Error(vector);
        string folder = Directory.CreateTempSubdirectory("cuframes-vectors-").FullName;
        try
        {
            using FramePublisher publisher = MakePublisher(folder);
            using UnixSocket socket = UnixSocket.Connect(publisher.SocketPath, 90_000);

            // The type decides in which state the message may come; what is no message is tried first of all.
            if (packet.Length > MessageHeaderLayout.TypeOffset && packet.AsSpan(0, 4).SequenceEqual("CUFR"u8) &&
                (MessageType)packet[MessageHeaderLayout.TypeOffset] is MessageType.SegmentReady or MessageType.Retired or MessageType.Bye or MessageType.Event)
            {
                // This publisher lies in the host domain and grants no EVENT fence: to it a sound EVENT is out of place (7.2).
                if (packet[MessageHeaderLayout.TypeOffset] == (byte)MessageType.Event)
                {
                    error ??= ErrorCode.ProtocolError;
                }

                SendInActive(socket, packet, descriptors, error);
            }
            else
            {
                SendFirst(socket, packet, descriptors, error);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void SendFirst(UnixSocket socket, byte[] packet, int descriptors, ErrorCode? error)
    {
        Packets.Send(socket, packet, descriptors);
        byte[] answer = Packets.Receive(socket, out int received)!;
        Assert.NotNull(answer);
        if (error is { } code)
        {
            Assert.Equal(MessageType.Refuse, Packets.TypeOf(answer));
            RefuseMessage refuse = RefuseMessage.ReadRefuse(answer.AsSpan(16));
            Assert.Equal(code, refuse.Code);
            Assert.Matches(@"^\S.*\.$", refuse.Text);
            Assert.Null(Packets.Receive(socket, out _));
            return;
        }

        HelloMessage hello = HelloMessage.Read(packet.AsSpan(16));
        MessageHeader header = MessageHeader.Read(answer);
        Assert.Equal((MessageType.Welcome, MessageHeader.Read(packet).CorrelationId), (header.Type, header.CorrelationId));
        WelcomeMessage welcome = WelcomeMessage.Read(answer.AsSpan(16));
        Assert.Equal(hello.IsProbe ? 0 : 2, received);
        if (!hello.IsProbe)
        {
            welcome.RequireSubscription();
            Assert.Equal(hello.Delivery, welcome.Delivery);
            Assert.InRange(welcome.Leases, 1u, hello.Leases);
        }
    }

    private static void SendInActive(UnixSocket socket, byte[] packet, int descriptors, ErrorCode? error)
    {
        Packets.Send(socket, VectorFile.Bytes(VectorFile.Get(AllVectors, "hello-smallest")), 0);
        Assert.Equal(MessageType.Welcome, Packets.TypeOf(Packets.Receive(socket, out _)!));
        uint announced;
        do
        {
            byte[] segment = Packets.Receive(socket, out int received)!;
            Assert.Equal(1, received);
            announced = SegmentMessage.Read(segment.AsSpan(16)).Description.SegmentId;
        }
        while (announced != KnownSegment);

        Packets.Send(socket, packet, descriptors);
        if (error is null)
        {
            if (Packets.TypeOf(packet) == MessageType.Bye)
            {
                Assert.Null(Packets.Receive(socket, out _));
                return;
            }

            // It was accepted if the connection lives until a message that no subscriber may send.
            Packets.Send(socket, new RefuseMessage(ErrorCode.None, "").WriteRefuse(new byte[64], 0).ToArray(), 0);
        }

        byte[] answer = Packets.Receive(socket, out _)!;
        Assert.NotNull(answer);
        Assert.Equal(MessageType.Notice, Packets.TypeOf(answer));
        NoticeMessage notice = NoticeMessage.Read(answer.AsSpan(16));
        Assert.Equal((NoticeKind.Evicted, error ?? ErrorCode.ProtocolError), (notice.Kind, notice.Code));
        Assert.Equal(error is null, notice.Text.Contains(nameof(MessageType.Refuse), StringComparison.Ordinal));
        Assert.Null(Packets.Receive(socket, out _));
    }

    /// <summary>A publisher whose last segment is the one that the vectors name: each change of format makes the next one.</summary>
    private static FramePublisher MakePublisher(string folder)
    {
        FramePublisher publisher = FramePublisher.Create("vectors", new StreamFormat(PixelFormat.Gray8, 32, 32), new PublisherOptions { Directory = folder });
        for (uint segment = 2; segment <= KnownSegment; segment++)
        {
            publisher.Configure(new StreamFormat(PixelFormat.Gray8, 32 * (int)segment, 32));
        }

        return publisher;
    }
}
