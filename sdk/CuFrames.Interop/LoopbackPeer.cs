using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Who is at the other end of a TCP connection inside of this machine: the kernel is asked for the socket of the other end, by both addresses and ports
/// (sock_diag(7)), and says whose it is. Any thread may call.
/// </summary>
/// <remarks>
/// The answer is the user who made the socket. It cannot be forged: a pair of addresses and ports belongs to one connection of this network
/// namespace as long as this end of it is open, and the kernel keeps the user's id with it. Who resets a connection can give its port to another user's socket
/// while what was sent still waits here, so this end is looked at after the question. Of a socket that its process has closed the kernel does not know the user any more and says 0, so such
/// an answer is none here. The connection's maker may have handed it to another process since, as with every descriptor. A relay on this machine, a proxy for
/// example, is the peer itself: whoever is behind it cannot be seen.
/// </remarks>
public static unsafe class LoopbackPeer
{
    // linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, linux/in.h.
    private const int NETLINK_SOCK_DIAG = 4;
    private const ushort SOCK_DIAG_BY_FAMILY = 20;
    private const ushort NLMSG_ERROR = 2;
    private const ushort NLM_F_REQUEST = 1;
    private const byte IPPROTO_TCP = 6;

    // linux/tcp.h; a shorter answer than the whole structure is allowed.
    private const int TCP_INFO = 11;
    private const int TcpInformationSize = 8;

    // struct nlmsghdr, then struct inet_diag_req_v2 or struct inet_diag_msg. Both of them hold a struct inet_diag_sockid.
    private const int HeaderSize = 16;
    private const int RequestSize = HeaderSize + 56;
    private const int RequestPlace = HeaderSize + 8;
    private const int AnswerSize = HeaderSize + 72;
    private const int AnswerPlace = HeaderSize + 4;
    private const int PlaceSize = 48;
    private const int UserPlace = AnswerPlace + PlaceSize + 12;

    // net/tcp_states.h: those in which an application may have the socket still.
    private const int TCP_ESTABLISHED = 1;
    private const int TCP_FIN_WAIT1 = 4;
    private const int TCP_FIN_WAIT2 = 5;
    private const int TCP_CLOSE_WAIT = 8;
    private const int TCP_LAST_ACK = 9;
    private const int TCP_CLOSING = 11;

    private static uint _lastSequence;

    /// <summary>Finds the other end's user, and the groups of that user's account (a process may have more or fewer).</summary>
    /// <param name="connection">A connection of TCP that was accepted. It stays the caller's.</param>
    /// <param name="credentials">Who it is; the process is not known and 0.</param>
    /// <param name="problem">Why it cannot be said, as a sentence.</param>
    /// <returns>Whether it is known who it is.</returns>
    public static bool TryIdentify(Socket connection, [NotNullWhen(true)] out PeerCredentials? credentials, out string problem)
    {
        ArgumentNullException.ThrowIfNull(connection);
        credentials = null;
        try
        {
            if (connection.LocalEndPoint is not IPEndPoint own || connection.RemoteEndPoint is not IPEndPoint peer)
            {
                problem = "The connection has no addresses.";
                return false;
            }

            if (!TryIdentify(own, peer, out credentials, out problem))
            {
                return false;
            }

            if (IsOpen(connection))
            {
                return true;
            }

            problem = $"The connection from {peer} was reset: its port may be another's by now.";
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            problem = "The connection is closed.";
        }

        credentials = null;
        return false;
    }

    /// <summary>Tries with a connection of this process to itself whether the kernel says who is at the other end.</summary>
    /// <returns>Null: it does; else why not, as sentences.</returns>
    public static string? FindObstacle()
    {
        try
        {
            using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen();
            using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            client.Connect(listener.LocalEndPoint!);
            using Socket accepted = listener.Accept();
            return TryIdentify(accepted, out _, out string problem) ? null : problem;
        }
        catch (SocketException error)
        {
            return $"This process cannot connect to itself on {IPAddress.Loopback}: {error.Message}.";
        }
    }

    /// <summary>As the other one, for addresses whose connection is open at this end.</summary>
    internal static bool TryIdentify(IPEndPoint own, IPEndPoint peer, [NotNullWhen(true)] out PeerCredentials? credentials, out string problem)
    {
        credentials = null;
        if (!IPAddress.IsLoopback(own.Address) || !IPAddress.IsLoopback(peer.Address))
        {
            problem = $"The connection from {peer} to {own} does not stay within this machine.";
            return false;
        }

        try
        {
            if (FindUser(own, peer) is not { } user)
            {
                problem = $"The kernel knows no open socket {peer} that is connected to {own}: whoever had it has closed it.";
                return false;
            }

            bool isKnown = AccountNames.TryFindGroupsOf(user, out uint group, out IReadOnlyList<uint> groups);
            credentials = new PeerCredentials(0, user, isKnown ? group : uint.MaxValue, [.. groups]);
            problem = "";
            return true;
        }
        catch (LinuxException error)
        {
            problem = $"{error.Message} Whoever connects by TCP is known by a token only.";
            return false;
        }
    }

    /// <summary>Whether a connection still has its addresses and ports.</summary>
    private static bool IsOpen(Socket connection)
    {
        // struct tcp_info of linux/tcp.h begins with the state.
        Span<byte> information = stackalloc byte[TcpInformationSize];
        return connection.GetRawSocketOption(IPPROTO_TCP, TCP_INFO, information) > 0 && IsOpen(information[0]);
    }

    private static bool IsOpen(byte state) => state is TCP_ESTABLISHED or TCP_FIN_WAIT1 or TCP_FIN_WAIT2 or TCP_CLOSE_WAIT or TCP_LAST_ACK or TCP_CLOSING;

    private static uint? FindUser(IPEndPoint own, IPEndPoint peer)
    {
        using FileDescriptor socket = LibC.Socket(LibC.AF_NETLINK, LibC.SOCK_RAW | LibC.SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (socket.IsInvalid)
        {
            throw LinuxException.FromLastError("socket", "ask the kernel for the peer of a TCP connection (AF_NETLINK, sock_diag)");
        }

        // The socket that is looked for is the other end's: what is far for us is near for it.
        Span<byte> request = stackalloc byte[RequestSize];
        request.Clear();
        uint sequence = Interlocked.Increment(ref _lastSequence);
        bool isVersion4 = IsVersion4(own.Address) && IsVersion4(peer.Address);
        BitConverter.TryWriteBytes(request, RequestSize);
        BitConverter.TryWriteBytes(request[4..], SOCK_DIAG_BY_FAMILY);
        BitConverter.TryWriteBytes(request[6..], NLM_F_REQUEST);
        BitConverter.TryWriteBytes(request[8..], sequence);
        request[HeaderSize] = (byte)(isVersion4 ? LibC.AF_INET : LibC.AF_INET6);
        request[HeaderSize + 1] = IPPROTO_TCP;
        request.Slice(HeaderSize + 4, 4).Fill(0xFF);
        WritePlace(request.Slice(RequestPlace, PlaceSize), near: peer, far: own, isVersion4);
        Span<byte> answer = stackalloc byte[1024];
        int length = Exchange(socket, request, answer);
        answer = answer[..length];
        if (length < HeaderSize + sizeof(int) || BitConverter.ToUInt32(answer[8..]) != sequence)
        {
            throw new LinuxException("recvfrom", Errno.EIO, "read what sock_diag answers");
        }

        if (BitConverter.ToUInt16(answer[4..]) == NLMSG_ERROR)
        {
            int errno = -BitConverter.ToInt32(answer[HeaderSize..]);
            return errno == Errno.ENOENT ? null : throw new LinuxException("sock_diag", errno, $"ask the kernel who is at {peer}");
        }

        if (BitConverter.ToUInt16(answer[4..]) != SOCK_DIAG_BY_FAMILY || length < AnswerSize)
        {
            throw new LinuxException("recvfrom", Errno.EIO, "read what sock_diag answers");
        }

        // Where no connection fits, the kernel answers with the listener at the port; and a socket without an inode has no owner: its user is said to be 0.
        bool isOpen = IsOpen(answer[HeaderSize + 1]);
        bool hasOwner = BitConverter.ToUInt32(answer[(UserPlace + 4)..]) != 0;
        return isOpen && hasOwner && IsPlace(answer, near: peer, far: own) ? BitConverter.ToUInt32(answer[UserPlace..]) : null;
    }

    private static int Exchange(FileDescriptor socket, ReadOnlySpan<byte> request, Span<byte> answer)
    {
        const string Attempt = "ask the kernel for the peer of a TCP connection (sock_diag)";
        nint count;
        fixed (byte* sent = request)
        {
            do
            {
                count = LibC.Send(socket, sent, (nuint)request.Length, LibC.MSG_NOSIGNAL);
            }
            while (count < 0 && LastErrorIsInterruption());
        }

        if (count < 0)
        {
            throw LinuxException.FromLastError("send", Attempt);
        }

        // The kernel has answered within send(2). Its own address is 0, which nobody else has.
        Span<byte> sender = stackalloc byte[12];
        sender.Clear();
        fixed (byte* received = answer, address = sender)
        {
            do
            {
                uint addressLength = (uint)sender.Length;
                count = LibC.ReceiveFrom(socket, received, (nuint)answer.Length, LibC.MSG_DONTWAIT, address, &addressLength);
            }
            while (count < 0 && LastErrorIsInterruption());
        }

        return count < 0 ? throw LinuxException.FromLastError("recvfrom", Attempt)
            : BitConverter.ToUInt32(sender[4..]) != 0 ? throw new LinuxException("recvfrom", Errno.EIO, "read what sock_diag answers")
            : (int)count;
    }

    private static bool LastErrorIsInterruption() => System.Runtime.InteropServices.Marshal.GetLastPInvokeError() == Errno.EINTR;

    private static bool IsVersion4(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork || address.IsIPv4MappedToIPv6;

    /// <summary>Writes a struct inet_diag_sockid that names a connection and no interface.</summary>
    private static void WritePlace(Span<byte> place, IPEndPoint near, IPEndPoint far, bool isVersion4)
    {
        BinaryPrimitives.WriteUInt16BigEndian(place, (ushort)near.Port);
        BinaryPrimitives.WriteUInt16BigEndian(place[2..], (ushort)far.Port);
        (isVersion4 ? near.Address.MapToIPv4() : near.Address.MapToIPv6()).TryWriteBytes(place[4..], out _);
        (isVersion4 ? far.Address.MapToIPv4() : far.Address.MapToIPv6()).TryWriteBytes(place[20..], out _);

        // INET_DIAG_NOCOOKIE: whichever socket it is.
        place[40..].Fill(0xFF);
    }

    /// <summary>Whether an answer is about this connection.</summary>
    private static bool IsPlace(ReadOnlySpan<byte> answer, IPEndPoint near, IPEndPoint far)
    {
        int size = answer[HeaderSize] == LibC.AF_INET ? 4 : 16;
        ReadOnlySpan<byte> place = answer.Slice(AnswerPlace, PlaceSize);
        return BinaryPrimitives.ReadUInt16BigEndian(place) == near.Port && BinaryPrimitives.ReadUInt16BigEndian(place[2..]) == far.Port &&
            new IPAddress(place.Slice(4, size)).MapToIPv6().Equals(WithoutScope(near.Address)) && new IPAddress(place.Slice(20, size)).MapToIPv6().Equals(WithoutScope(far.Address));
    }

    private static IPAddress WithoutScope(IPAddress address) => new(address.MapToIPv6().GetAddressBytes());
}
