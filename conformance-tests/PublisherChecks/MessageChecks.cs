using System.Text.Json;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;
using CuFrames.Interop.Internal;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>Section 2: what a publisher does with the first message, sound, malformed, too long, with descriptors.</summary>
internal static class MessageChecks
{
    public static IEnumerable<Check<PublisherContext>> All() =>
    [
        .. Vectors(),
        new("2.2-longest", "accepts a message of 65,536 bytes", Longest),
        new("2.2-too-long", "refuses a message of more than 65,536 bytes", TooLong),
        new("2.2-noise", "refuses 64 KiB of noise", Noise),
        new("2.1-empty-packet", "survives a packet without bytes", EmptyPacket),
        new("2.3-descriptors-truncated", "refuses more than 16 descriptors", TooManyDescriptors),
        new("2.4-descriptors-closed", "closes the descriptors of a refused message", DescriptorsClosed),
    ];

    /// <summary>The bad and good HELLOs of protocol/test-vectors/messages.json, each a check.</summary>
    private static IEnumerable<Check<PublisherContext>> Vectors()
    {
        using JsonDocument document = JsonDocument.Parse(Document.ReadResource("messages.json"));
        foreach (JsonElement vector in document.RootElement.GetProperty("vectors").EnumerateArray())
        {
            string name = vector.GetProperty("name").GetString()!;
            bool first = name.StartsWith("hello", StringComparison.Ordinal) || name.StartsWith("noise", StringComparison.Ordinal) ||
                name.StartsWith("unknown-type", StringComparison.Ordinal);
            if (!first || vector.GetProperty("receiver").GetString() != "publisher")
            {
                continue;
            }

            string id = $"{vector.GetProperty("paragraph").GetString()}-{name}";
            byte[] packet = Convert.FromHexString(vector.GetProperty("hex").GetString()!);
            int descriptors = vector.GetProperty("descriptors").GetInt32();
            if (vector.TryGetProperty("error_code", out JsonElement code))
            {
                var expected = (ErrorCode)code.GetUInt32();
                yield return new(id, $"refuses it with {expected}", context => Refused(context, packet, descriptors, expected));
            }
            else
            {
                int granted = name == "hello-probe" ? 0 : 2;
                yield return new(id, "accepts it", context => RawExchange.ExpectWelcome(context, packet, granted));
            }
        }
    }

    private static void Refused(PublisherContext context, byte[] packet, int descriptors, ErrorCode code)
    {
        FileDescriptor[] sent = Enumerable.Range(0, descriptors).Select(_ => MemoryFile.Create("conformance", 4096)).ToArray();
        try
        {
            RawExchange.ExpectRefusal(context, packet, code, sent);
        }
        finally
        {
            Array.ForEach(sent, descriptor => descriptor.Dispose());
        }
    }

    private static void Longest(PublisherContext context)
    {
        var hello = new HelloOptions { Probe = true };
        int room = Limits.MaxMessageSize - hello.Build().Length - Limits.TlvHeadSize;
        byte[] packet = hello.Build(Tlv.Bytes(0x7777, new byte[room]));
        Expect.Equal(Limits.MaxMessageSize, packet.Length, "a packet of");
        RawExchange.ExpectWelcome(context, packet, 0);
    }

    private static void TooLong(PublisherContext context)
    {
        var hello = new HelloOptions { Probe = true };
        int room = Limits.MaxMessageSize - hello.Build().Length;
        RawExchange.ExpectRefusal(context, hello.Build(Tlv.Bytes(0x7777, new byte[room])), ErrorCode.PROTOCOL_ERROR);
        RawExchange.ExpectRefusal(context, hello.Build(Tlv.Bytes(0x7777, new byte[100_000])), ErrorCode.PROTOCOL_ERROR);
    }

    private static void Noise(PublisherContext context)
    {
        var random = new Random(20_250_101);
        foreach (int length in new[] { 1, 15, 16, 17, 1_000, 65_536 })
        {
            byte[] noise = new byte[length];
            random.NextBytes(noise);
            RawExchange.ExpectRefusal(context, noise, ErrorCode.PROTOCOL_ERROR);
        }
    }

    private static void EmptyPacket(PublisherContext context)
    {
        using (var connection = Connection.Open(context.SocketPath))
        {
            SendRaw(connection.Socket, [], []);
        }

        using Reader reader = Reader.Open(context);
        SendRaw(reader.Connection.Socket, [], []);
        using Reader other = Reader.Open(context);
        other.AwaitFirstFrame();
    }

    private static void TooManyDescriptors(PublisherContext context)
    {
        using FileDescriptor file = MemoryFile.Create("conformance", 4096);
        using var connection = Connection.Open(context.SocketPath);
        SendRaw(connection.Socket, new HelloOptions().Build(), Enumerable.Repeat(file, 200).ToArray());
        RawExchange.ExpectRefusal(connection, ErrorCode.DESCRIPTOR_COUNT);
    }

    private static void DescriptorsClosed(PublisherContext context)
    {
        foreach (int count in new[] { 1, 16, 100 })
        {
            (UnixSocket mine, UnixSocket theirs) = UnixSocket.CreatePair();
            using (mine)
            using (var connection = Connection.Open(context.SocketPath))
            {
                SendRaw(connection.Socket, new HelloOptions().Build(), Enumerable.Repeat(theirs.Descriptor, count).ToArray());
                theirs.Dispose();
                RawExchange.ExpectRefusal(connection, ErrorCode.DESCRIPTOR_COUNT);

                // Once no copy of the other end is open, this end sees it closed.
                Expect.That((mine.Poll(IoEvents.Readable, 15_000) & IoEvents.HangUp) != 0,
                    $"that all {count} descriptors of the refused message are closed", "one still open after 15 s");
            }
        }
    }

    /// <summary>A packet with any number of descriptors or without bytes, which <see cref="UnixSocket"/> would not send.</summary>
    internal static unsafe void SendRaw(UnixSocket socket, ReadOnlySpan<byte> payload, FileDescriptor[] descriptors)
    {
        const int headerSize = 16;
        ulong* control = stackalloc ulong[(headerSize + (256 * sizeof(int))) / sizeof(ulong)];
        fixed (byte* bytes = payload)
        {
            var vector = new LibC.IoVector { Base = bytes, Length = (nuint)payload.Length };
            var message = new LibC.MessageHeader { Vectors = &vector, VectorCount = 1 };
            if (descriptors.Length > 0)
            {
                var header = (LibC.ControlHeader*)control;
                header->Length = (nuint)(headerSize + (descriptors.Length * sizeof(int)));
                header->Level = LibC.SOL_SOCKET;
                header->Type = LibC.SCM_RIGHTS;
                for (int i = 0; i < descriptors.Length; i++)
                {
                    ((int*)((byte*)control + headerSize))[i] = descriptors[i].Number;
                }

                message.Control = control;
                message.ControlLength = header->Length;
            }

            if (LibC.SendMessage(socket.Descriptor, &message, LibC.MSG_NOSIGNAL) < 0)
            {
                throw LinuxException.FromLastError("sendmsg", "send a packet with many descriptors");
            }
        }
    }
}
