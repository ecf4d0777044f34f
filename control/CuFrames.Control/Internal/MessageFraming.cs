using System.Buffers.Binary;
using Google.Protobuf;

namespace CuFrames.Control.Internal;

/// <summary>Messages in a body of HTTP/2: five bytes before each, whether it is compressed and its length, then the message.</summary>
internal static class MessageFraming
{
    /// <summary>Writes a message with its prefix.</summary>
    internal static byte[] Frame(IMessage message)
    {
        int length = message.CalculateSize();
        byte[] frame = new byte[RpcWire.PrefixBytes + length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), length);
        message.WriteTo(frame.AsSpan(RpcWire.PrefixBytes));
        return frame;
    }

    /// <summary>Reads the next message.</summary>
    /// <param name="body">Where from.</param>
    /// <param name="parser">Of which type.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <param name="maxBytes">The largest that is taken.</param>
    /// <returns>The message; null: the body has ended before its first byte.</returns>
    /// <exception cref="RpcException">UNIMPLEMENTED: compressed. RESOURCE_EXHAUSTED: too large. INTERNAL: broken off, or no message.</exception>
    internal static async ValueTask<T?> ReadAsync<T>(Stream body, MessageParser<T> parser, CancellationToken cancellation, int maxBytes = RpcWire.MaxReceivedBytes)
        where T : class, IMessage<T>
    {
        byte[] prefix = new byte[RpcWire.PrefixBytes];
        int read = await body.ReadAtLeastAsync(prefix, prefix.Length, throwOnEndOfStream: false, cancellation).ConfigureAwait(false);
        if (read == 0)
        {
            return null;
        }

        if (read < prefix.Length)
        {
            throw new RpcException(RpcStatus.Internal, $"A message broke off after {read} of the {prefix.Length} bytes before it.");
        }

        if (prefix[0] != 0)
        {
            throw prefix[0] == 1
                ? new RpcException(RpcStatus.Unimplemented, "The message is compressed, and no compression is understood here. Send it as it is (grpc-encoding: identity).")
                : new RpcException(RpcStatus.Internal, $"The first byte before a message says whether it is compressed, 0 or 1, and is {prefix[0]}.");
        }

        uint length = BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1));
        if (length > maxBytes)
        {
            throw new RpcException(RpcStatus.ResourceExhausted, $"A message of {length} bytes was sent, and at most {maxBytes} are taken.");
        }

        // The length is the peer's word: memory is taken as bytes come.
        using MemoryStream content = new((int)Math.Min(length, 64 << 10));
        byte[] part = new byte[Math.Min(length, 64 << 10)];
        while (content.Length < length)
        {
            int count = await body.ReadAsync(part.AsMemory(0, (int)Math.Min(part.Length, length - content.Length)), cancellation).ConfigureAwait(false);
            if (count == 0)
            {
                throw new RpcException(RpcStatus.Internal, $"A message broke off after {content.Length} of {length} bytes.");
            }

            content.Write(part, 0, count);
        }

        try
        {
            return parser.ParseFrom(content.GetBuffer(), 0, (int)content.Length);
        }
        catch (InvalidProtocolBufferException error)
        {
            throw new RpcException(RpcStatus.Internal, $"{length} bytes came that are no {typeof(T).Name}: {error.Message}", error);
        }
    }
}
