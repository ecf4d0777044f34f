using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// A connection or a listener of AF_UNIX and SOCK_SEQPACKET: whole packets, in order, with descriptors attached, and
/// the kernel reports at once when the peer dies. Close-on-exec.
/// </summary>
/// <remarks>
/// A listener may be one of SOCK_STREAM instead, for programs that want a stream of bytes: its connections are for <see cref="ToStream"/>.
/// One thread may send while another receives. Time-outs are in milliseconds: 0 does not wait, -1 waits for ever.
/// Signals are handled inside.
/// </remarks>
public sealed unsafe class UnixSocket : IDisposable
{
    // SCM_MAX_FD of the kernel is 253; this is what one control message with Capacity descriptors takes up.
    private const int ControlHeaderSize = 16;
    private const int ControlSize = ControlHeaderSize + (DescriptorSet.Capacity * sizeof(int));

    // A listener removes its path when it is disposed, if the path still names its own socket.
    private readonly string? _boundPath;
    private readonly FileStatus _boundStatus;

    private UnixSocket(FileDescriptor descriptor, string? boundPath = null, FileStatus boundStatus = default)
    {
        Descriptor = descriptor;
        _boundPath = boundPath;
        _boundStatus = boundStatus;
    }

    /// <summary>The socket's descriptor, for <see cref="EventLoop"/>. It belongs to this object.</summary>
    public FileDescriptor Descriptor { get; }

    /// <summary>Creates a socket at a path and listens.</summary>
    /// <remarks>
    /// A socket that is already at the path is replaced: only who owns the name (<see cref="FileLock"/>) may listen
    /// at it. At no moment has the path more permissions than <paramref name="mode"/>. Dispose removes the path.
    /// </remarks>
    /// <param name="path">
    /// The path; longer ones than the 107 bytes of sockaddr_un work as well, through /proc/self/fd.
    /// </param>
    /// <param name="backlog">
    /// Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn.
    /// </param>
    /// <param name="mode">Permissions. Connecting needs the right to write.</param>
    /// <param name="isByteStream">Whether connections are streams of bytes (SOCK_STREAM) and not of packets.</param>
    /// <returns>The listener; <see cref="TryAccept"/> takes connections.</returns>
    /// <exception cref="LinuxException">
    /// ENOENT: no such directory. EACCES: no right to write there. EEXIST: what is at the path is no socket.
    /// </exception>
    public static UnixSocket Listen(string path, int backlog, UnixFileMode mode, bool isByteStream = false)
    {
        path = FileSystem.FullPath(path);
        ArgumentOutOfRangeException.ThrowIfNegative(backlog);
        if (FileSystem.TryStat(path) is { IsSocket: false })
        {
            throw new LinuxException("bind", Errno.EEXIST, $"listen at '{path}', where something else than a socket is");
        }

        // A listener never waits in accept: a connection that epoll reported may be gone again.
        FileDescriptor socket = NewSocket(LibC.SOCK_NONBLOCK, isByteStream);
        try
        {
            // bind gives the path the mode of the socket's own inode less the umask, so it is right from the start.
            if (LibC.Fchmod(socket, (uint)mode) < 0)
            {
                throw LinuxException.FromLastError("fchmod", $"set the permissions of '{path}'");
            }

            return UnixAddress.Fits(path)
                ? ListenAt(socket, path, path, path, backlog, mode)
                : ListenAtLongPath(socket, path, backlog, mode);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects to a listener.</summary>
    /// <param name="path">The path, of any length.</param>
    /// <param name="timeoutMilliseconds">How long to wait for room in the listener's backlog.</param>
    /// <returns>The connection.</returns>
    /// <exception cref="LinuxException">
    /// ENOENT: no socket there. ECONNREFUSED: nobody listens (any more). EACCES: no right to write. ETIMEDOUT: the
    /// backlog stayed full. EPROTOTYPE: a socket of another type.
    /// </exception>
    public static UnixSocket Connect(string path, int timeoutMilliseconds)
    {
        path = FileSystem.FullPath(path);
        FileDescriptor socket = NewSocket(0);
        try
        {
            if (UnixAddress.Fits(path))
            {
                Connect(socket, path, path, timeoutMilliseconds);
            }
            else
            {
                using FileDescriptor node = FileSystem.TryOpen(path, LibC.O_PATH, 0);
                if (node.IsInvalid)
                {
                    throw LinuxException.FromLastError("connect", $"connect to '{path}'");
                }

                Connect(socket, $"/proc/self/fd/{node.Number}", path, timeoutMilliseconds);
            }

            return new UnixSocket(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Creates two sockets that are connected to each other.</summary>
    /// <returns>Both ends.</returns>
    /// <exception cref="LinuxException">No descriptor is left (EMFILE).</exception>
    public static (UnixSocket First, UnixSocket Second) CreatePair()
    {
        var first = new UnixSocket(new FileDescriptor());
        var second = new UnixSocket(new FileDescriptor());
        int* descriptors = stackalloc int[2];
        if (LibC.SocketPair(LibC.AF_UNIX, LibC.SOCK_SEQPACKET | LibC.SOCK_CLOEXEC, 0, descriptors) < 0)
        {
            throw LinuxException.FromLastError("socketpair", "create a pair of sockets");
        }

        first.Descriptor.Adopt(descriptors[0]);
        second.Descriptor.Adopt(descriptors[1]);
        return (first, second);
    }

    /// <summary>Takes a waiting connection, without waiting for one.</summary>
    /// <param name="connection">The connection; the caller owns it.</param>
    /// <returns>False if none waits.</returns>
    /// <exception cref="LinuxException">
    /// EMFILE, ENFILE, ENOMEM: the connection cannot be taken now and keeps waiting, so a level-triggered
    /// <see cref="EventLoop"/> reports it again at once.
    /// </exception>
    public bool TryAccept([NotNullWhen(true)] out UnixSocket? connection)
    {
        while (true)
        {
            FileDescriptor accepted = LibC.Accept(Descriptor, null, null, LibC.SOCK_CLOEXEC);
            if (!accepted.IsInvalid)
            {
                connection = new UnixSocket(accepted);
                return true;
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.EINTR or Errno.ECONNABORTED:
                    break;
                case Errno.EAGAIN:
                    connection = null;
                    return false;
                default:
                    throw LinuxException.FromLastError("accept4", $"accept a connection at '{_boundPath}'");
            }
        }
    }

    /// <summary>Sends one packet with descriptors. The descriptors stay open here and stay the caller's.</summary>
    /// <param name="payload">
    /// The packet, at least 1 byte: a receiver cannot tell an empty packet from the end of the connection.
    /// </param>
    /// <param name="descriptors">At most <see cref="DescriptorSet.Capacity"/> descriptors.</param>
    /// <param name="timeoutMilliseconds">How long to wait for room in the peer's queue.</param>
    /// <returns>What became of it.</returns>
    /// <exception cref="LinuxException">
    /// EMSGSIZE: longer than the send buffer. ETOOMANYREFS: the peer does not read.
    /// </exception>
    /// <exception cref="ObjectDisposedException">
    /// The socket or one of the descriptors is closed; nothing was sent.
    /// </exception>
    public SendStatus Send(
        ReadOnlySpan<byte> payload, ReadOnlySpan<FileDescriptor> descriptors, int timeoutMilliseconds = 0)
    {
        if (descriptors.Length > DescriptorSet.Capacity)
        {
            throw new ArgumentException(
                $"A packet carries at most {DescriptorSet.Capacity} descriptors, not {descriptors.Length}.", nameof(descriptors));
        }

        int held = 0;
        ulong* control = stackalloc ulong[ControlSize / sizeof(ulong)];
        int* numbers = (int*)((byte*)control + ControlHeaderSize);
        try
        {
            // Each descriptor is held open until the kernel has its own reference.
            bool added = false;
            for (; held < descriptors.Length; held++)
            {
                descriptors[held].DangerousAddRef(ref added);
                numbers[held] = (int)descriptors[held].DangerousGetHandle();
            }

            return Send(payload, control, held, timeoutMilliseconds);
        }
        finally
        {
            while (held > 0)
            {
                descriptors[--held].DangerousRelease();
            }
        }
    }

    /// <summary>
    /// Sends one packet without descriptors and without waiting: the way of a doorbell. Allocates nothing.
    /// </summary>
    /// <param name="payload">The packet, at least 1 byte.</param>
    /// <returns>What became of it.</returns>
    /// <exception cref="LinuxException">Anything else than a full queue or a peer that is gone.</exception>
    public SendStatus TrySendSmall(ReadOnlySpan<byte> payload)
    {
        ThrowIfEmpty(payload);
        fixed (byte* bytes = payload)
        {
            while (true)
            {
                nint sent = LibC.Send(Descriptor, bytes, (nuint)payload.Length, LibC.MSG_DONTWAIT | LibC.MSG_NOSIGNAL);
                if (StatusOf(sent, "send") is { } status)
                {
                    return status;
                }
            }
        }
    }

    /// <summary>Receives one packet. Allocates nothing.</summary>
    /// <param name="buffer">Where the packet goes; at least 1 byte.</param>
    /// <param name="descriptors">
    /// Owner of the descriptors that come along. It is cleared first, and empty unless the result is
    /// <see cref="ReceiveStatus.Received"/>.
    /// </param>
    /// <param name="timeoutMilliseconds">How long to wait for a packet.</param>
    /// <returns>What was found.</returns>
    /// <exception cref="LinuxException">Anything that <see cref="ReceiveStatus"/> has no word for.</exception>
    public ReceiveResult Receive(Span<byte> buffer, DescriptorSet descriptors, int timeoutMilliseconds = 0)
    {
        ArgumentNullException.ThrowIfNull(descriptors);
        if (buffer.IsEmpty)
        {
            throw new ArgumentException("The buffer has no room for a packet.", nameof(buffer));
        }

        descriptors.ThrowIfDisposed();
        descriptors.Clear();
        Deadline deadline = Deadline.After(timeoutMilliseconds);
        while (true)
        {
            ReceiveResult? result = TryReceive(buffer, descriptors);
            if (result is { } found && (found.Status != ReceiveStatus.WouldBlock || timeoutMilliseconds == 0))
            {
                return found;
            }

            if (result is not null && Poll(IoEvents.Readable, deadline) == IoEvents.None)
            {
                return new ReceiveResult(ReceiveStatus.WouldBlock, 0);
            }
        }
    }

    /// <summary>Waits until this one socket is ready.</summary>
    /// <param name="events">
    /// What to wait for; <see cref="IoEvents.Error"/> and <see cref="IoEvents.HangUp"/> come anyway.
    /// </param>
    /// <param name="timeoutMilliseconds">How long to wait.</param>
    /// <returns>What it is ready for; <see cref="IoEvents.None"/> if the time ran out.</returns>
    /// <exception cref="LinuxException">The kernel ran out of memory.</exception>
    public IoEvents Poll(IoEvents events, int timeoutMilliseconds) => Poll(events, Deadline.After(timeoutMilliseconds));

    /// <summary>Asks who is at the other end of a connection.</summary>
    /// <returns>
    /// An accepted connection: who connected, at that time. A connecting one: who called listen. A pair: who created
    /// it.
    /// </returns>
    /// <exception cref="LinuxException">The kernel refused; SO_PEERGROUPS needs Linux 4.13.</exception>
    public PeerCredentials GetPeerCredentials()
    {
        LibC.Credentials credentials;
        uint length = (uint)sizeof(LibC.Credentials);
        if (LibC.GetSocketOption(Descriptor, LibC.SOL_SOCKET, LibC.SO_PEERCRED, &credentials, &length) < 0)
        {
            throw LinuxException.FromLastError("getsockopt", "ask for the peer's credentials (SO_PEERCRED)");
        }

        return new PeerCredentials(credentials.ProcessId, credentials.UserId, credentials.GroupId, GetPeerGroups());
    }

    /// <summary>
    /// Sets how many bytes may be under way to the peer (SO_SNDBUF). The kernel caps the figure at net.core.wmem_max
    /// and then doubles it, for what it needs itself.
    /// </summary>
    /// <param name="bytes">The size, greater than 0.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void SetSendBuffer(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        if (LibC.SetSocketOption(Descriptor, LibC.SOL_SOCKET, LibC.SO_SNDBUF, &bytes, sizeof(int)) < 0)
        {
            throw LinuxException.FromLastError("setsockopt", $"set a send buffer of {bytes} bytes");
        }
    }

    /// <summary>
    /// Ends the connection in both directions: the peer, and threads of this process that wait on it, see it gone. The
    /// descriptor stays open. No error if it is over already.
    /// </summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void Shutdown()
    {
        if (LibC.Shutdown(Descriptor, LibC.SHUT_RDWR) < 0 && Marshal.GetLastPInvokeError() != Errno.ENOTCONN)
        {
            throw LinuxException.FromLastError("shutdown", "end the connection");
        }
    }

    /// <summary>Gives a connection of a listener of byte streams away, for asynchronous reads and writes. This object is empty afterwards.</summary>
    /// <returns>The connection, which owns its descriptor; the caller owns it.</returns>
    public NetworkStream ToStream()
    {
        var handle = new SafeSocketHandle((nint)Descriptor.Detach(), ownsHandle: true);
        try
        {
            return new NetworkStream(new Socket(handle), ownsSocket: true);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Closes the socket; a listener removes its path, unless the path names another socket by now.</summary>
    public void Dispose()
    {
        if (_boundPath is not null && !Descriptor.IsClosed)
        {
            RemoveIfOwn(_boundPath, _boundStatus);
        }

        Descriptor.Dispose();
    }

    private static FileDescriptor NewSocket(int flags, bool isByteStream = false)
    {
        int type = isByteStream ? LibC.SOCK_STREAM : LibC.SOCK_SEQPACKET;
        FileDescriptor socket = LibC.Socket(LibC.AF_UNIX, type | LibC.SOCK_CLOEXEC | flags, 0);
        return socket.IsInvalid ? throw LinuxException.FromLastError("socket", "create a socket") : socket;
    }

    private static UnixSocket ListenAtLongPath(FileDescriptor socket, string path, int backlog, UnixFileMode mode)
    {
        // The kernel takes 107 bytes. /proc/self/fd/N names the directory in fewer, but the name alone may be too long
        // (a key and a rendition have 64 characters each), so the socket is bound under a short name and then renamed.
        // The short name is always the same for a path: what a crash left behind is replaced by the next run.
        string directory = Path.GetDirectoryName(path)!;
        string name = HashOf(Path.GetFileName(path)).ToString("X16", CultureInfo.InvariantCulture);
        using FileDescriptor node = FileSystem.TryOpen(directory, LibC.O_PATH | LibC.O_DIRECTORY, 0);
        return node.IsInvalid
            ? throw LinuxException.FromLastError("open", $"listen at '{path}'")
            : ListenAt(socket, $"/proc/self/fd/{node.Number}/.{name}", Path.Combine(directory, "." + name), path, backlog, mode);
    }

    /// <summary>FNV-1a in 64 bits (draft-eastlake-fnv). Only a name is wanted: a cryptographic hash would load OpenSSL into the process, and end the process where
    /// there is none.</summary>
    private static ulong HashOf(string text)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            hash = unchecked((hash ^ value) * 0x100000001B3);
        }

        return hash;
    }

    private static UnixSocket ListenAt(
        FileDescriptor socket, string address, string temporaryPath, string path, int backlog, UnixFileMode mode)
    {
        FileSystem.Unlink(temporaryPath);
        UnixAddress encoded = UnixAddress.OfPath(address);
        if (LibC.Bind(socket, encoded.Bytes, encoded.Length) < 0)
        {
            throw LinuxException.FromLastError("bind", $"listen at '{path}'");
        }

        FileStatus bound = FileSystem.TryStat(temporaryPath)
            ?? throw new LinuxException("bind", Errno.ENOENT, $"listen at '{path}', which somebody removed at once");
        string current = temporaryPath;
        try
        {
            RestoreMode(temporaryPath, bound, mode);
            if (LibC.Listen(socket, backlog) < 0)
            {
                throw LinuxException.FromLastError("listen", $"listen at '{path}'");
            }

            if (temporaryPath != path)
            {
                if (LibC.Rename(temporaryPath, path) < 0)
                {
                    throw LinuxException.FromLastError("rename", $"listen at '{path}'");
                }

                current = path;
            }

            return new UnixSocket(socket, path, bound);
        }
        catch
        {
            RemoveIfOwn(current, bound);
            throw;
        }
    }

    /// <summary>Gives back the permissions that the umask took away.</summary>
    private static void RestoreMode(string path, in FileStatus bound, UnixFileMode mode)
    {
        if ((bound.Mode & 0xFFF) == (uint)mode)
        {
            return;
        }

        // Through a descriptor, so that it is this socket and not what somebody put there meanwhile.
        using FileDescriptor node = FileSystem.TryOpen(path, LibC.O_PATH | LibC.O_NOFOLLOW, 0);
        if (node.IsInvalid)
        {
            throw LinuxException.FromLastError("open", $"set the permissions of '{path}'");
        }

        if (!node.Stat().IsSameFileAs(bound))
        {
            throw new LinuxException("chmod", Errno.EADDRINUSE, $"set the permissions of '{path}'");
        }

        if (LibC.Chmod($"/proc/self/fd/{node.Number}", (uint)mode) < 0)
        {
            throw LinuxException.FromLastError("chmod", $"set the permissions of '{path}'");
        }
    }

    private static void RemoveIfOwn(string path, in FileStatus own)
    {
        try
        {
            if (FileSystem.TryStat(path) is { } found && found.IsSameFileAs(own))
            {
                FileSystem.Unlink(path);
            }
        }
        catch (LinuxException)
        {
            // The directory is gone or closed to us: then there is nothing that we could remove, and Dispose does not
            // throw.
        }
    }

    private static void Connect(FileDescriptor socket, string address, string path, int timeoutMilliseconds)
    {
        UnixAddress encoded = UnixAddress.OfPath(address);
        Deadline deadline = Deadline.After(timeoutMilliseconds);
        while (true)
        {
            // connect on AF_UNIX waits for the backlog as long as SO_SNDTIMEO says; 0 would be for ever, so at least
            // 1 µs. The option may stay: no later call of this class waits inside the kernel's send.
            int left = deadline.RemainingMilliseconds();
            LibC.TimeValue wait = left < 0
                ? default
                : new LibC.TimeValue { Seconds = left / 1000, Microseconds = Math.Max(left % 1000 * 1000L, 1) };
            if (LibC.SetSocketOption(
                socket, LibC.SOL_SOCKET, LibC.SO_SNDTIMEO, &wait, (uint)sizeof(LibC.TimeValue)) < 0)
            {
                throw LinuxException.FromLastError("setsockopt", $"connect to '{path}'");
            }

            if (LibC.Connect(socket, encoded.Bytes, encoded.Length) == 0)
            {
                return;
            }

            int errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.EINTR && deadline.RemainingMilliseconds() != 0)
            {
                continue;
            }

            bool isTimeout = errno is Errno.EAGAIN or Errno.EINTR;
            throw new LinuxException("connect", isTimeout ? Errno.ETIMEDOUT : errno, $"connect to '{path}'");
        }
    }

    private static void ThrowIfEmpty(ReadOnlySpan<byte> payload)
    {
        if (payload.IsEmpty)
        {
            throw new ArgumentException("A packet has at least 1 byte.", nameof(payload));
        }
    }

    /// <summary>The status that a send call's result stands for; null if it was interrupted.</summary>
    private static SendStatus? StatusOf(nint sent, string operation)
    {
        if (sent >= 0)
        {
            return SendStatus.Sent;
        }

        return Marshal.GetLastPInvokeError() switch
        {
            Errno.EINTR => null,
            Errno.EAGAIN => SendStatus.WouldBlock,
            Errno.EPIPE or Errno.ECONNRESET or Errno.ENOTCONN => SendStatus.PeerGone,
            _ => throw LinuxException.FromLastError(operation, "send a packet"),
        };
    }

    private SendStatus Send(ReadOnlySpan<byte> payload, ulong* control, int descriptorCount, int timeoutMilliseconds)
    {
        ThrowIfEmpty(payload);
        fixed (byte* bytes = payload)
        {
            var vector = new LibC.IoVector { Base = bytes, Length = (nuint)payload.Length };
            var message = new LibC.MessageHeader { Vectors = &vector, VectorCount = 1 };
            if (descriptorCount > 0)
            {
                var header = (LibC.ControlHeader*)control;
                header->Length = (nuint)(ControlHeaderSize + (descriptorCount * sizeof(int)));
                header->Level = LibC.SOL_SOCKET;
                header->Type = LibC.SCM_RIGHTS;
                message.Control = control;
                message.ControlLength = header->Length;
            }

            Deadline deadline = Deadline.After(timeoutMilliseconds);
            while (true)
            {
                nint sent = LibC.SendMessage(Descriptor, &message, LibC.MSG_DONTWAIT | LibC.MSG_NOSIGNAL);
                SendStatus? status = StatusOf(sent, "sendmsg");
                if (status is { } outcome && (outcome != SendStatus.WouldBlock || timeoutMilliseconds == 0))
                {
                    return outcome;
                }

                if (status is not null && Poll(IoEvents.Writable, deadline) == IoEvents.None)
                {
                    return SendStatus.WouldBlock;
                }
            }
        }
    }

    /// <summary>One recvmsg; null if it is to be repeated.</summary>
    private ReceiveResult? TryReceive(Span<byte> buffer, DescriptorSet descriptors)
    {
        ulong* control = stackalloc ulong[ControlSize / sizeof(ulong)];
        fixed (byte* bytes = buffer)
        {
            var vector = new LibC.IoVector { Base = bytes, Length = (nuint)buffer.Length };
            var message = new LibC.MessageHeader
            {
                Vectors = &vector,
                VectorCount = 1,
                Control = control,
                ControlLength = ControlSize,
            };
            nint received = LibC.ReceiveMessage(Descriptor, &message, LibC.MSG_DONTWAIT | LibC.MSG_CMSG_CLOEXEC);
            if (received < 0)
            {
                return Marshal.GetLastPInvokeError() switch
                {
                    // A peer that closed without having read everything: said once, before what it sent is handed out.
                    Errno.EINTR or Errno.ECONNRESET => null,
                    Errno.EAGAIN => new ReceiveResult(ReceiveStatus.WouldBlock, 0),
                    Errno.ENOTCONN => new ReceiveResult(ReceiveStatus.PeerGone, 0),
                    _ => throw LinuxException.FromLastError("recvmsg", "receive a packet"),
                };
            }

            // From here until every descriptor is in the set nothing may throw or allocate.
            bool complete = AdoptDescriptors(message, descriptors) && (message.Flags & LibC.MSG_CTRUNC) == 0;
            ReceiveStatus status = !complete ? ReceiveStatus.ControlTruncated
                : (message.Flags & LibC.MSG_TRUNC) != 0 ? ReceiveStatus.Truncated
                : received == 0 ? ReceiveStatus.PeerGone
                : ReceiveStatus.Received;
            if (status != ReceiveStatus.Received)
            {
                descriptors.Clear();
            }

            return new ReceiveResult(status, (int)received);
        }
    }

    /// <summary>Puts every descriptor that the kernel installed into the set.</summary>
    /// <returns>False if there were more than the set holds; those are closed.</returns>
    private static bool AdoptDescriptors(in LibC.MessageHeader message, DescriptorSet descriptors)
    {
        bool complete = true;
        byte* position = (byte*)message.Control;
        byte* end = position + message.ControlLength;
        while (end - position >= ControlHeaderSize)
        {
            var header = (LibC.ControlHeader*)position;
            if (header->Length < ControlHeaderSize || header->Length > (nuint)(end - position))
            {
                break;
            }

            if (header->Level == LibC.SOL_SOCKET && header->Type == LibC.SCM_RIGHTS)
            {
                int count = ((int)header->Length - ControlHeaderSize) / sizeof(int);
                int* numbers = (int*)(position + ControlHeaderSize);
                for (int i = 0; i < count; i++)
                {
                    complete &= descriptors.Adopt(numbers[i]);
                }
            }

            position += (header->Length + 7) & ~(nuint)7;
        }

        return complete;
    }

    private IoEvents Poll(IoEvents events, Deadline deadline)
    {
        bool held = false;
        try
        {
            Descriptor.DangerousAddRef(ref held);
            var entry = new LibC.PollEntry
            {
                Descriptor = (int)Descriptor.DangerousGetHandle(),
                Events = (ushort)(events & ~IoEvents.EdgeTriggered),
            };
            while (true)
            {
                if (LibC.Poll(&entry, 1, deadline.RemainingMilliseconds()) >= 0)
                {
                    return (IoEvents)entry.Returned;
                }

                if (Marshal.GetLastPInvokeError() != Errno.EINTR)
                {
                    throw LinuxException.FromLastError("poll", "wait for a socket");
                }
            }
        }
        finally
        {
            if (held)
            {
                Descriptor.DangerousRelease();
            }
        }
    }

    private uint[] GetPeerGroups()
    {
        uint[] groups = new uint[32];
        while (true)
        {
            uint length = (uint)(groups.Length * sizeof(uint));
            fixed (uint* buffer = groups)
            {
                if (LibC.GetSocketOption(Descriptor, LibC.SOL_SOCKET, LibC.SO_PEERGROUPS, buffer, &length) == 0)
                {
                    return groups[..(int)(length / sizeof(uint))];
                }
            }

            if (Marshal.GetLastPInvokeError() != Errno.ERANGE)
            {
                throw LinuxException.FromLastError("getsockopt", "ask for the peer's groups (SO_PEERGROUPS)");
            }

            // The kernel has said how many bytes it needs.
            groups = new uint[length / sizeof(uint)];
        }
    }
}
