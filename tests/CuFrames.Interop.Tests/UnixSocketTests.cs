using System.Net.Sockets;
using Xunit;

namespace CuFrames.Interop.Tests;

public sealed class UnixSocketTests : IDisposable
{
    private const UnixFileMode Everybody =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite |
        UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly TemporaryDirectory _directory = new();
    private readonly DescriptorSet _received = new();
    private readonly byte[] _buffer = new byte[65536];

    public static TheoryData<int, int> PathLengths() => new()
    {
        // Length of the whole path, length of the name.
        { 60, 10 }, { 106, 20 }, { 107, 20 }, { 108, 20 }, { 109, 20 }, { 200, 20 }, { 250, 139 }, { 900, 255 },
    };

    public void Dispose()
    {
        _received.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [MemberData(nameof(PathLengths))]
    public void A_path_of_any_length_can_be_listened_at_and_connected_to(int length, int nameLength)
    {
        SortedSet<int> before = Descriptors.Baseline();
        string path = PathOfLength(length, nameLength);
        Assert.Equal(length, path.Length);

        // Twice: the second time over a socket that was left behind, and over a temporary one if there was one.
        for (int round = 0; round < 2; round++)
        {
            using UnixSocket listener = UnixSocket.Listen(path, 4, OwnerOnly);
            using UnixSocket client = UnixSocket.Connect(path, 1000);
            Assert.True(listener.TryAccept(out UnixSocket? server));
            using (server)
            {
                Assert.Equal(SendStatus.Sent, client.TrySendSmall([42]));
                Assert.Equal(1, server.Receive(_buffer, _received).Length);
                Assert.Equal(42, _buffer[0]);
                Assert.True(Descriptors.IsCloseOnExec(server.Descriptor));
                Assert.True(Descriptors.IsCloseOnExec(client.Descriptor));
                Assert.True(Descriptors.IsCloseOnExec(listener.Descriptor));
            }

            Assert.Equal([path], Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!));
            Assert.Equal(OwnerOnly, File.GetUnixFileMode(path));
            if (round == 0)
            {
                // As after a crash: the descriptor goes, the path stays.
                listener.Descriptor.Dispose();
                Assert.Equal(
                    Errno.ECONNREFUSED, Assert.Throws<LinuxException>(() => UnixSocket.Connect(path, 1000)).Errno);
            }
        }

        Assert.Empty(Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!));
        Descriptors.RequireOpen(before);
    }

    [Fact]
    public void A_name_that_no_file_system_takes_is_a_clear_error_and_leaves_nothing()
    {
        string path = _directory.PathOf(new string('x', 256));

        var exception = Assert.Throws<LinuxException>(() => UnixSocket.Listen(path, 4, OwnerOnly));

        Assert.Equal(Errno.ENAMETOOLONG, exception.Errno);
        Assert.Contains("at most 255 bytes", exception.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_directory.Root));
        Assert.Throws<ArgumentException>(() => UnixSocket.Listen("a\0b", 4, OwnerOnly));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(0x3Fu)]
    [InlineData(0x1FFu)]
    public void The_mode_does_not_depend_on_the_umask(uint mask)
    {
        // The directories are made before, or they would have no permissions either.
        string[] paths = [PathOfLength(60, 12), PathOfLength(150, 12)];
        uint before = TestLibC.Umask(mask);
        try
        {
            foreach (string path in paths)
            {
                using UnixSocket all = UnixSocket.Listen(path, 4, Everybody);
                Assert.Equal(Everybody, File.GetUnixFileMode(path));
                using UnixSocket owner = UnixSocket.Listen(path, 4, OwnerOnly);
                Assert.Equal(OwnerOnly, File.GetUnixFileMode(path));
            }
        }
        finally
        {
            _ = TestLibC.Umask(before);
        }
    }

    [Fact]
    public void At_no_moment_has_the_path_more_permissions_than_asked_for()
    {
        uint before = TestLibC.Umask(0);
        try
        {
            string path = _directory.PathOf("watched.sock");
            bool stop = false;
            int seen = 0;
            UnixFileMode excess = UnixFileMode.None;
            BackgroundThread watcher = BackgroundThread.Start(() =>
            {
                while (!Volatile.Read(ref stop))
                {
                    if (Internal.FileSystem.TryStat(path) is { } status)
                    {
                        excess |= (UnixFileMode)(status.Mode & 0xFFF) & ~OwnerOnly;
                        seen++;
                    }
                }
            });

            // As long as it takes for the watcher to see the path often while it comes and goes.
            for (int round = 0; round < 2000 || Volatile.Read(ref seen) < 2000; round++)
            {
                UnixSocket.Listen(path, 4, OwnerOnly).Dispose();
            }

            Volatile.Write(ref stop, true);
            watcher.Join();
            Assert.Equal(UnixFileMode.None, excess);
        }
        finally
        {
            _ = TestLibC.Umask(before);
        }
    }

    [Fact]
    public void Another_user_is_kept_out_by_the_mode()
    {
        string path = _directory.PathOf("private.sock");

        // Run as root, the child becomes another user. Run as a user it stays that user, whom a mode of 0 keeps out.
        UnixFileMode mode = TestLibC.GetEffectiveUserId() == 0 ? OwnerOnly : UnixFileMode.None;
        using UnixSocket listener = UnixSocket.Listen(path, 4, mode);
        using ChildProcess child = ChildProcess.Start("connect-as-other-user", path);

        Assert.Equal("connect EACCES", child.ReadLine());
        Assert.False(listener.TryAccept(out _));
    }

    [Fact]
    public void The_peer_is_known_by_process_user_and_groups()
    {
        string path = _directory.PathOf("credentials.sock");
        using UnixSocket listener = UnixSocket.Listen(path, 4, Everybody);
        using ChildProcess child = ChildProcess.Start("connect-as-other-user", path);
        Assert.Equal("connected", child.ReadLine());
        Assert.True(listener.TryAccept(out UnixSocket? connection));
        using (connection)
        {
            PeerCredentials peer = connection.GetPeerCredentials();

            Assert.Equal(child.Id, peer.ProcessId);
            if (TestLibC.GetEffectiveUserId() == 0)
            {
                Assert.Equal(ChildProcess.OtherUser, peer.UserId);
                Assert.Equal(ChildProcess.OtherGroup, peer.GroupId);
                Assert.Equal(ChildProcess.OtherGroups, peer.SupplementaryGroups);
                Assert.All(ChildProcess.OtherGroups, group => Assert.True(peer.IsInGroup(group)));
            }
            else
            {
                Assert.Equal(TestLibC.GetEffectiveUserId(), peer.UserId);
                Assert.Equal(TestLibC.GetEffectiveGroupId(), peer.GroupId);
            }

            Assert.True(peer.IsInGroup(peer.GroupId));
            Assert.False(peer.IsInGroup(99999));
        }

        using UnixSocket self = UnixSocket.Connect(path, 1000);
        Assert.Equal(Environment.ProcessId, self.GetPeerCredentials().ProcessId);
    }

    [Fact]
    public void The_death_of_the_peer_is_seen_at_once()
    {
        string path = _directory.PathOf("death.sock");
        using UnixSocket listener = UnixSocket.Listen(path, 4, OwnerOnly);
        using ChildProcess child = ChildProcess.Start("connect", path);
        Assert.Equal("connected", child.ReadLine());
        Assert.True(listener.TryAccept(out UnixSocket? connection));
        using (connection)
        {
            Assert.Equal(IoEvents.None, connection.Poll(IoEvents.Readable | IoEvents.PeerClosed, 0));
            child.Kill();

            IoEvents events = connection.Poll(IoEvents.Readable | IoEvents.PeerClosed, 90_000);

            Assert.Equal(IoEvents.Readable | IoEvents.HangUp | IoEvents.PeerClosed, events);
            Assert.Equal(ReceiveStatus.PeerGone, connection.Receive(_buffer, _received).Status);
            Assert.Equal(SendStatus.PeerGone, connection.TrySendSmall([1]));
            Assert.Equal(SendStatus.PeerGone, connection.Send([1], []));
            Assert.Equal(SendStatus.PeerGone, connection.Send([1], [], 1000));
        }
    }

    [Fact]
    public void Whole_packets_arrive_in_order_up_to_the_largest()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
        using (first)
        using (second)
        {
            byte[] packet = new byte[65536];
            foreach (int length in new[] { 1, 16, 17, 4096, 65535, 65536 })
            {
                Random.Shared.NextBytes(packet);
                Assert.Equal(SendStatus.Sent, first.Send(packet.AsSpan(0, length), [], 1000));
                Assert.Equal(SendStatus.Sent, first.TrySendSmall([7]));
                ReceiveResult result = second.Receive(_buffer, _received);
                Assert.Equal(ReceiveStatus.Received, result.Status);
                Assert.Equal(length, result.Length);
                Assert.True(packet.AsSpan(0, length).SequenceEqual(_buffer.AsSpan(0, length)));
                Assert.Equal(1, second.Receive(_buffer, _received).Length);
                Assert.Equal(7, _buffer[0]);
            }
        }
    }

    [Fact]
    public void A_peer_that_does_not_read_makes_the_sender_neither_wait_nor_fail()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
        using (first)
        using (second)
        {
            first.SetSendBuffer(4096);
            byte[] packet = new byte[1000];
            int sent = 0;
            while (first.Send(packet, []) == SendStatus.Sent)
            {
                sent++;
            }

            Assert.InRange(sent, 1, 100);
            Assert.Equal(SendStatus.WouldBlock, first.TrySendSmall([1]));
            long start = MonotonicClock.NowNanoseconds;
            Assert.Equal(SendStatus.WouldBlock, first.Send(packet, [], 60));
            Assert.True(MonotonicClock.NowNanoseconds - start >= 60_000_000);

            // As soon as there is room, a sender that waits goes on.
            BackgroundThread reader = BackgroundThread.Start(() =>
            {
                for (int i = 0; i < sent; i++)
                {
                    Assert.Equal(1000, second.Receive(_buffer, _received, 90_000).Length);
                }
            });
            Assert.Equal(SendStatus.Sent, first.Send(packet, [], 90_000));
            reader.Join();
            Assert.Equal(1000, second.Receive(_buffer, _received).Length);
            Assert.Equal(Errno.EMSGSIZE, Assert.Throws<LinuxException>(() => first.Send(new byte[65536], [])).Errno);
        }
    }

    [Fact]
    public void A_receiver_waits_as_long_as_it_was_told()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
        using (first)
        using (second)
        {
            long start = MonotonicClock.NowNanoseconds;
            Assert.Equal(ReceiveStatus.WouldBlock, second.Receive(_buffer, _received, 60).Status);
            Assert.True(MonotonicClock.NowNanoseconds - start >= 60_000_000);

            ReceiveResult result = default;
            BackgroundThread waiter = BackgroundThread.Start(() => result = second.Receive(_buffer, _received, -1));
            waiter.WaitUntilAsleep();
            Assert.Equal(SendStatus.Sent, first.TrySendSmall([5, 6]));
            waiter.Join();
            Assert.Equal(ReceiveStatus.Received, result.Status);
            Assert.Equal(2, result.Length);

            // Shutdown ends the wait of a thread of the same process.
            waiter = BackgroundThread.Start(() => result = second.Receive(_buffer, _received, -1));
            waiter.WaitUntilAsleep();
            second.Shutdown();
            waiter.Join();
            Assert.Equal(ReceiveStatus.PeerGone, result.Status);
            second.Shutdown();
            Assert.Equal(SendStatus.PeerGone, first.TrySendSmall([1]));
        }
    }

    [Fact]
    public void A_full_backlog_ends_connect_in_time()
    {
        string path = _directory.PathOf("full.sock");
        using UnixSocket listener = UnixSocket.Listen(path, 0, OwnerOnly);
        var connections = new List<UnixSocket>();
        LinuxException? refused = null;
        long start = 0;
        while (refused is null)
        {
            start = MonotonicClock.NowNanoseconds;
            refused = Record.Exception(() => connections.Add(UnixSocket.Connect(path, 60))) as LinuxException;
            Assert.InRange(connections.Count, 1, 10);
        }

        Assert.True(MonotonicClock.NowNanoseconds - start >= 60_000_000);
        Assert.Equal(Errno.ETIMEDOUT, refused.Errno);
        Assert.Equal("connect", refused.Operation);
        Assert.Contains("does not accept connections", refused.Message, StringComparison.Ordinal);
        Assert.Equal(Errno.ETIMEDOUT, Assert.Throws<LinuxException>(() => UnixSocket.Connect(path, 0)).Errno);

        // Room: connect that waits goes on.
        UnixSocket? late = null;
        BackgroundThread waiter = BackgroundThread.Start(() => late = UnixSocket.Connect(path, -1));
        waiter.WaitUntilAsleep();
        Assert.True(listener.TryAccept(out UnixSocket? accepted));
        waiter.Join();
        Assert.NotNull(late);
        late.Dispose();
        accepted.Dispose();
        connections.ForEach(connection => connection.Dispose());
    }

    [Fact]
    public void Errors_of_connect_say_what_is_there()
    {
        string path = _directory.PathOf("x.sock");
        var absent = Assert.Throws<LinuxException>(() => UnixSocket.Connect(path, 0));
        Assert.Equal(Errno.ENOENT, absent.Errno);
        Assert.Contains($"Cannot connect to '{path}': connect answered ENOENT", absent.Message, StringComparison.Ordinal);
        Assert.Contains("No publisher", absent.Message, StringComparison.Ordinal);

        File.WriteAllText(path, "no socket");
        Assert.Equal(Errno.ECONNREFUSED, Assert.Throws<LinuxException>(() => UnixSocket.Connect(path, 0)).Errno);
        File.Delete(path);

        using var stream = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        stream.Bind(new UnixDomainSocketEndPoint(path));
        stream.Listen();
        Assert.Equal(Errno.EPROTOTYPE, Assert.Throws<LinuxException>(() => UnixSocket.Connect(path, 0)).Errno);
        string missing = _directory.PathOf(new string('y', 130));
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => UnixSocket.Connect(missing, 0)).Errno);
    }

    [Fact]
    public void Listen_replaces_sockets_and_nothing_else()
    {
        string path = _directory.PathOf("file");
        File.WriteAllText(path, "precious");
        var exception = Assert.Throws<LinuxException>(() => UnixSocket.Listen(path, 4, OwnerOnly));
        Assert.Equal(Errno.EEXIST, exception.Errno);
        Assert.Equal("precious", File.ReadAllText(path));

        string link = _directory.PathOf("link");
        File.CreateSymbolicLink(link, path);
        Assert.Equal(Errno.EEXIST, Assert.Throws<LinuxException>(() => UnixSocket.Listen(link, 4, OwnerOnly)).Errno);
        string missing = _directory.PathOf("none/x.sock");
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => UnixSocket.Listen(missing, 4, OwnerOnly)).Errno);
    }

    [Fact]
    public void A_listener_that_was_replaced_leaves_its_successor_alone()
    {
        string path = _directory.PathOf("successor.sock");
        UnixSocket former = UnixSocket.Listen(path, 4, OwnerOnly);
        using UnixSocket present = UnixSocket.Listen(path, 4, OwnerOnly);
        former.Dispose();
        former.Dispose();

        using UnixSocket client = UnixSocket.Connect(path, 1000);
        Assert.True(present.TryAccept(out UnixSocket? server));
        server.Dispose();
    }

    [Fact]
    public void A_listener_without_connections_does_not_wait()
    {
        using UnixSocket listener = UnixSocket.Listen(_directory.PathOf("idle.sock"), 4, OwnerOnly);

        Assert.False(listener.TryAccept(out UnixSocket? connection));
        Assert.Null(connection);
    }

    [Fact]
    public void A_closed_socket_says_so()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
        first.Dispose();
        second.Dispose();

        Assert.Throws<ObjectDisposedException>(() => first.TrySendSmall([1]));
        Assert.Throws<ObjectDisposedException>(() => first.Send([1], []));
        Assert.Throws<ObjectDisposedException>(() => first.Receive(_buffer, _received));
        Assert.Throws<ObjectDisposedException>(() => first.Poll(IoEvents.Readable, 0));
        Assert.Throws<ObjectDisposedException>(() => first.TryAccept(out _));
        Assert.Throws<ObjectDisposedException>(first.GetPeerCredentials);
    }

    private string PathOfLength(int length, int nameLength)
    {
        int left = length - _directory.Root.Length - 1 - nameLength - 1;
        string path = _directory.Root;
        while (left > 0)
        {
            // Two more characters at least have to stay for a next directory.
            int part = left <= 200 ? left : 150;
            path = Path.Combine(path, new string('d', part));
            left -= part + 1;
        }

        Directory.CreateDirectory(path);
        int rest = length - path.Length - 1;
        return Path.Combine(path, new string('n', rest));
    }
}
