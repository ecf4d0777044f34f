using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>Sends what no well-behaved subscriber sends, and judges the answer.</summary>
internal static class RawExchange
{
    private const int AnswerMilliseconds = 30_000;

    /// <summary>Connects, sends one packet and expects REFUSE and a hang-up.</summary>
    public static Message ExpectRefusal(
        PublisherContext context, byte[] packet, ErrorCode code, params FileDescriptor[] descriptors)
    {
        using var connection = Connection.Open(context.SocketPath);
        connection.Send(packet, descriptors);
        return ExpectRefusal(connection, code);
    }

    /// <summary>Expects REFUSE with a code and a text, then a hang-up (3.5).</summary>
    public static Message ExpectRefusal(Connection connection, ErrorCode code, int timeoutMilliseconds = AnswerMilliseconds)
    {
        using Packet answer = connection.Receive(timeoutMilliseconds);
        Expect.That(answer.Kind == PacketKind.Packet, $"REFUSE {code} (3.5)", Name(answer, timeoutMilliseconds));
        Message message = answer.Parse();
        Expect.That(message.Type == MessageType.REFUSE && message.Error == code, $"REFUSE {code} (3.5)", message.ToString());
        Expect.That(message.Text(TlvType.ERROR_TEXT).Length > 0, "a sentence in ERROR_TEXT (2.8)", "an empty text");
        ExpectHangUp(connection, "a hang-up after REFUSE (3.5)");
        return message;
    }

    public static void ExpectHangUp(Connection connection, string expected, int timeoutMilliseconds = AnswerMilliseconds)
    {
        using Packet packet = connection.Receive(timeoutMilliseconds);
        Expect.That(packet.Kind == PacketKind.HangUp, expected, Name(packet, timeoutMilliseconds));
    }

    /// <summary>Connects, sends one HELLO and expects WELCOME.</summary>
    public static Message ExpectWelcome(PublisherContext context, byte[] packet, int descriptors)
    {
        using var connection = Connection.Open(context.SocketPath);
        connection.Send(packet);
        using Packet answer = connection.Receive(AnswerMilliseconds);
        Expect.That(answer.Kind == PacketKind.Packet, "WELCOME", Name(answer, AnswerMilliseconds));
        Message message = answer.Parse();
        Expect.That(message.Type == MessageType.WELCOME && message.DescriptorCount == descriptors,
            $"WELCOME with {descriptors} descriptors", $"{message} with {message.DescriptorCount} descriptors");
        Expect.Equal(Limits.Version, message.Version, "in the header version");
        return message;
    }

    private static string Name(Packet packet, int timeoutMilliseconds) => packet.Kind switch
    {
        PacketKind.Nothing => $"nothing within {timeoutMilliseconds} ms",
        PacketKind.HangUp => "a hang-up",
        PacketKind.Packet => packet.Parse().ToString(),
        _ => packet.Kind.ToString(),
    };
}
