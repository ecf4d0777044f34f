using CuFrames.Interop;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>Packets as bytes, over real sockets.</summary>
internal static class Packets
{
    private const int TimeoutMilliseconds = 10_000;

    /// <summary>The packet of a vector; null when the peer hung up, or when nothing came in time.</summary>
    public static byte[]? Receive(UnixSocket socket, out int descriptors, int timeoutMilliseconds = TimeoutMilliseconds)
    {
        byte[] buffer = new byte[Wire.MaxMessageSize];
        using DescriptorSet received = new();
        ReceiveResult result = socket.Receive(buffer, received, timeoutMilliseconds);
        descriptors = received.Count;
        Assert.Contains(result.Status, (ReceiveStatus[])[ReceiveStatus.Received, ReceiveStatus.PeerGone, ReceiveStatus.WouldBlock]);
        Assert.True(result.Status != ReceiveStatus.WouldBlock || timeoutMilliseconds < TimeoutMilliseconds, "The peer neither answered nor hung up.");
        return result.Status == ReceiveStatus.Received ? buffer[..result.Length] : null;
    }

    /// <summary>Sends a packet with as many descriptors of no use as are asked for.</summary>
    public static void Send(UnixSocket socket, byte[] packet, int descriptors)
    {
        FileDescriptor[] files = [.. Enumerable.Range(0, descriptors).Select(_ => MemoryFile.Create("cuframes-test", 4096))];
        Send(socket, packet, files);
        Array.ForEach(files, file => file.Dispose());
    }

    public static void Send(UnixSocket socket, byte[] packet, FileDescriptor[] files) =>
        Assert.Equal(SendStatus.Sent, socket.Send(packet, files, TimeoutMilliseconds));

    public static MessageType TypeOf(byte[] packet) => MessageHeader.Read(packet).Type;
}
