using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>The two receivers that protocol/test-vectors/README.md describes, as thin as possible on top of the classes under test.</summary>
internal static class Receiver
{
    private const uint KnownSegment = 5;

    /// <summary>A publisher that speaks version 1 and has a stream in host memory.</summary>
    public static object AsPublisher(byte[] packet, int descriptors)
    {
        MessageHeader header = MessageHeader.Read(packet);
        ReadOnlySpan<byte> payload = packet.AsSpan(MessageHeaderLayout.Size);
        Require(descriptors == 0, ErrorCode.DescriptorCount);
        if (header.Type == MessageType.Hello)
        {
            HelloMessage hello = HelloMessage.Read(payload);
            Require(header.Version == hello.LowestVersion, ErrorCode.ProtocolError);
            Require(hello.LowestVersion <= Wire.Version && hello.HighestVersion >= Wire.Version, ErrorCode.VersionMismatch);
            Require(hello.IsProbe || hello.Domains.Any(domain => domain.Fits(MemoryDomain.Host, HandleKind.HostMemfd, Guid.Empty)), ErrorCode.DomainNotMappable);
            return hello;
        }

        Require(header.Version == Wire.Version, ErrorCode.ProtocolError);
        return header.Type switch
        {
            MessageType.SegmentReady or MessageType.Retired => Known(SegmentIdMessage.Read(payload)),
            MessageType.Bye => RefuseMessage.Read(payload),
            MessageType.Event => EventMessage.Read(payload),
            _ => throw new ProtocolException(ErrorCode.ProtocolError, $"A publisher got {header.Type}."),
        };
    }

    /// <summary>A subscriber that asked for version 1, IN_ORDER and 4 leases, or only for the description.</summary>
    public static object AsSubscriber(byte[] packet, int descriptors, bool isProbe)
    {
        MessageHeader header = MessageHeader.Read(packet);
        ReadOnlySpan<byte> payload = packet.AsSpan(MessageHeaderLayout.Size);
        Require(header.Version == Wire.Version || header.Type == MessageType.Refuse, ErrorCode.ProtocolError);
        if (header.Type == MessageType.Segment)
        {
            SegmentMessage segment = SegmentMessage.Read(payload);
            Require(descriptors == (segment.Description.HandleKind == HandleKind.CudaIpc ? 0 : 1), ErrorCode.DescriptorCount);
            return segment;
        }

        Require(descriptors == (header.Type == MessageType.Welcome && !isProbe ? 2 : 0), ErrorCode.DescriptorCount);
        switch (header.Type)
        {
            case MessageType.Welcome:
                WelcomeMessage welcome = WelcomeMessage.Read(payload);
                Require(welcome.Version == Wire.Version, ErrorCode.ProtocolError);
                if (!isProbe)
                {
                    welcome.RequireSubscription();
                    Require(welcome.Leases <= 4 && welcome.Delivery == Delivery.InOrder, ErrorCode.ProtocolError);
                }

                return welcome;
            case MessageType.Refuse:
                return RefuseMessage.ReadRefuse(payload);
            case MessageType.Bye:
                return RefuseMessage.Read(payload);
            case MessageType.Retire:
                return Known(SegmentIdMessage.Read(payload));
            case MessageType.Notice:
                return NoticeMessage.Read(payload);
            case MessageType.Doorbell:
                TlvReader reader = new(payload);
                while (reader.Next())
                {
                    reader.SkipUnknown();
                }

                return header;
            default:
                throw new ProtocolException(ErrorCode.ProtocolError, $"A subscriber got {header.Type}.");
        }
    }

    private static uint Known(uint segment)
    {
        Require(segment == KnownSegment, ErrorCode.ProtocolError);
        return segment;
    }

    private static void Require(bool isSo, ErrorCode code)
    {
        if (!isSo)
        {
            throw new ProtocolException(code, "The receiver of the test refuses this message.");
        }
    }
}
