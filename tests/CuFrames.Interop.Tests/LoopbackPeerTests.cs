using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace CuFrames.Interop.Tests;

/// <summary>The kernel's word on who is at the other end of a TCP connection within this machine.</summary>
public sealed class LoopbackPeerTests
{
    // An account of a Debian that has always been there, with a group of its own.
    private const uint Daemon = 1;

    // IPPROTO_TCP, TCP_INFO and TCP_CLOSE of linux/tcp.h.
    private const int TcpLevel = 6;
    private const int TcpInformation = 11;
    private const byte TcpClose = 7;

    private const string Client = """
        import os, socket, sys
        user, family, address, port = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
        os.setgroups([]); os.setgid(user); os.setuid(user)
        s = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET); s.connect((address, port))
        for line in sys.stdin:
            if line == "half\n": s.shutdown(socket.SHUT_WR)
            if line == "close\n": s.close()
            if line == "reset\n":
                s.sendall(b"x"); s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"); s.close()
            print("done", flush=True)
        """;

    public static TheoryData<string, string, string> Ways => new()
    {
        { "127.0.0.1", "4", "127.0.0.1" },
        { "::1", "6", "::1" },
        { "::", "4", "127.0.0.1" },
        { "::", "6", "::ffff:127.0.0.1" },
        { "::", "6", "::1" },
        { "0.0.0.0", "6", "::ffff:127.0.0.1" },
        { "127.0.0.1", "6", "::ffff:127.0.0.1" },
        { "127.0.0.2", "4", "127.0.0.2" },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public void The_other_end_is_the_user_who_connected(string at, string family, string address)
    {
        foreach (uint user in (uint[])[0, Daemon, 65533])
        {
            using Socket listener = Listen(at);
            using Process client = Start(user, family, address, ((IPEndPoint)listener.LocalEndPoint!).Port);
            using Socket accepted = listener.Accept();
            Assert.True(Ask(accepted, out PeerCredentials? peer, out string problem), problem);
            Assert.Equal(user, peer!.UserId);
            Assert.Equal(0, peer.ProcessId);
            Assert.Equal(user == 65533 ? uint.MaxValue : user, peer.GroupId);
            Tell(client, "half");
            Assert.True(Ask(accepted, out peer, out problem), problem);
            Assert.Equal(user, peer!.UserId);
            client.Kill();
            client.WaitForExit();
        }
    }

    [Fact]
    public void A_socket_that_was_closed_is_nobodys_and_not_the_root_users()
    {
        // The kernel says user 0 of it, while its bytes can still be read here.
        using Socket listener = Listen("127.0.0.1");
        using Process client = Start(Daemon, "4", "127.0.0.1", ((IPEndPoint)listener.LocalEndPoint!).Port);
        using Socket accepted = listener.Accept();
        Assert.True(Ask(accepted, out _, out _));
        Tell(client, "close");
        Assert.False(Ask(accepted, out PeerCredentials? peer, out string problem));
        Assert.Null(peer);
        Assert.Contains("has closed it", problem, StringComparison.Ordinal);

        // And when both ends are closed, which is TIME_WAIT at the other end.
        accepted.Dispose();
        Assert.False(Ask(accepted, out _, out problem));
        Assert.Equal("The connection is closed.", problem);
        client.Kill();
        client.WaitForExit();
    }

    [Fact]
    public void Who_resets_a_connection_is_not_taken_for_whoever_has_its_port_then()
    {
        int attempts = 1;
        while (!TryTakePort())
        {
            Assert.True(attempts++ < 50, "other processes take each port first");
        }
    }

    [Fact]
    public void The_kernel_answers_here() => Assert.Null(LoopbackPeer.FindObstacle());

    [Fact]
    public void A_listener_at_the_other_ends_port_is_not_the_other_end()
    {
        using Socket listener = Listen("127.0.0.1");
        using Socket another = Listen("127.0.0.1");
        Assert.False(LoopbackPeer.TryIdentify((IPEndPoint)listener.LocalEndPoint!, (IPEndPoint)another.LocalEndPoint!, out _, out string problem));
        Assert.Contains("knows no open socket", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Addresses_of_other_machines_are_not_asked_for()
    {
        Assert.False(LoopbackPeer.TryIdentify(new IPEndPoint(IPAddress.Loopback, 1), new IPEndPoint(IPAddress.Parse("192.0.2.7"), 2), out _, out string problem));
        Assert.Contains("does not stay within this machine", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void The_groups_of_an_account_are_those_of_the_system()
    {
        foreach (string account in (string[])["root", "daemon", "www-data"])
        {
            using Process id = Process.Start(new ProcessStartInfo("id", ["-G", account]) { RedirectStandardOutput = true })!;
            uint[] expected = [.. id.StandardOutput.ReadToEnd().Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Select(uint.Parse).Order()];
            id.WaitForExit();
            Assert.True(AccountNames.TryFindUser(account, out uint user));
            Assert.True(AccountNames.TryFindGroupsOf(user, out uint group, out IReadOnlyList<uint> groups));
            Assert.Equal(expected, groups.Order());
            Assert.Contains(group, groups);
        }

        Assert.False(AccountNames.TryFindGroupsOf(65533, out _, out IReadOnlyList<uint> none));
        Assert.Empty(none);
    }

    /// <summary>State of a connection, as the kernel has it (tcpi_state of TCP_INFO, its first byte).</summary>
    private static byte StateOf(Socket connection)
    {
        Span<byte> information = stackalloc byte[104];
        connection.GetRawSocketOption(TcpLevel, TcpInformation, information);
        return information[0];
    }

    /// <returns>False: another process of this machine has taken the port that was to be had.</returns>
    private static bool TryTakePort()
    {
        using Socket listener = Listen("127.0.0.1");
        using Process client = Start(Daemon, "4", "127.0.0.1", ((IPEndPoint)listener.LocalEndPoint!).Port);
        using Socket accepted = listener.Accept();
        Tell(client, "reset");
        client.Kill();
        client.WaitForExit();

        // A busy kernel delivers the reset later; until then the connection is there, and another one with its addresses cannot be.
        Assert.True(SpinWait.SpinUntil(() => StateOf(accepted) == TcpClose, TimeSpan.FromSeconds(90)), "the reset does not come");
        (IPEndPoint own, IPEndPoint other) = ((IPEndPoint)accepted.LocalEndPoint!, (IPEndPoint)accepted.RemoteEndPoint!);
        using Socket another = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        another.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        try
        {
            another.Bind(other);
            another.Connect(own);
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AddressNotAvailable)
        {
            return false;
        }

        using Socket next = listener.Accept();

        // Addresses and ports are those of this process's connection now; what the first one sent is still to be read.
        Assert.True(LoopbackPeer.TryIdentify(own, other, out PeerCredentials? taken, out string problem), problem);
        Assert.Equal(PeerCredentials.OfThisProcess().UserId, taken!.UserId);
        Assert.Equal(1, accepted.Available);
        Assert.False(Ask(accepted, out PeerCredentials? peer, out problem));
        Assert.Null(peer);
        Assert.Contains("was reset", problem, StringComparison.Ordinal);
        Assert.True(Ask(next, out peer, out problem), problem);
        Assert.Equal(taken.UserId, peer!.UserId);
        return true;
    }

    private static Socket Listen(string address)
    {
        IPAddress at = IPAddress.Parse(address);
        Socket listener = new(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (at.Equals(IPAddress.IPv6Any))
        {
            listener.DualMode = true;
        }

        listener.Bind(new IPEndPoint(at, 0));
        listener.Listen();
        return listener;
    }

    private static bool Ask(Socket accepted, out PeerCredentials? peer, out string problem) =>
        LoopbackPeer.TryIdentify(accepted, out peer, out problem);

    private static Process Start(uint user, string family, string address, int port) => Process.Start(
        new ProcessStartInfo("/usr/bin/python3", ["-c", Client, user.ToString(CultureInfo.InvariantCulture), family, address, port.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;

    private static void Tell(Process client, string what)
    {
        client.StandardInput.WriteLine(what);
        client.StandardInput.Flush();
        Assert.Equal("done", client.StandardOutput.ReadLine());
    }
}
