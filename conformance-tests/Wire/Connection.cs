using CuFrames.Conformance.Spec;
using CuFrames.Interop;

namespace CuFrames.Conformance.Wire;

/// <summary>One end of a connection. Owns the socket. For one thread.</summary>
internal sealed class Connection : IDisposable
{
    private readonly byte[] _buffer = new byte[Limits.MaxMessageSize + 1];
    private readonly DescriptorSet _descriptors = new();

    public Connection(UnixSocket socket) => Socket = socket;

    public UnixSocket Socket { get; }

    public static Connection Open(string path) => new(UnixSocket.Connect(path, 5_000));

    /// <summary>Sends a packet; waits up to two seconds for room.</summary>
    /// <returns>False if the peer is gone or does not read.</returns>
    public bool Send(ReadOnlySpan<byte> packet, params FileDescriptor[] descriptors)
    {
        try
        {
            return Socket.Send(packet, descriptors, 2_000) == SendStatus.Sent;
        }
        catch (LinuxException exception) when (exception.Errno == Errno.EMSGSIZE)
        {
            // A packet above the send buffer's size is one that the kernel itself refuses on this machine.
            return false;
        }
    }

    /// <summary>Sends if there is room now.</summary>
    public bool TrySend(ReadOnlySpan<byte> packet, params FileDescriptor[] descriptors) =>
        Socket.Send(packet, descriptors, 0) == SendStatus.Sent;

    public Packet Receive(int timeoutMilliseconds)
    {
        ReceiveResult result = Socket.Receive(_buffer, _descriptors, timeoutMilliseconds);
        switch (result.Status)
        {
            case ReceiveStatus.WouldBlock:
                return Packet.Nothing;
            case ReceiveStatus.PeerGone:
                return Packet.HangUp;
            case ReceiveStatus.Truncated:
                return new Packet(PacketKind.Truncated, [], []);
            case ReceiveStatus.ControlTruncated:
                return new Packet(PacketKind.ControlTruncated, [], []);
            default:
                var owned = new FileDescriptor[_descriptors.Count];
                for (int i = 0; i < owned.Length; i++)
                {
                    owned[i] = _descriptors.Take(i);
                }

                return new Packet(PacketKind.Packet, _buffer[..result.Length], owned);
        }
    }

    public void Dispose()
    {
        _descriptors.Dispose();
        Socket.Dispose();
    }
}
