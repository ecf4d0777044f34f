using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Access.Tests;

/// <summary>Connections by TCP of which the kernel says nothing, or would say something wrong.</summary>
public sealed class PeerTests
{
    private const string ListCameras = "ListCameras";

    /// <summary>A container or a unit that forbids AF_NETLINK: nobody is let in for being on this machine, whatever the rules say.</summary>
    [Fact]
    public void Where_the_kernel_may_not_be_asked_only_tokens_count()
    {
        int taps = Ports.Free(), web = Ports.Free();
        string filter = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "without_netlink.py"));
        using AccessDaemon daemon = new("cameras: {}", null, "/usr/bin/python3", "-c", filter);
        string token = daemon.MakeToken("viewer.token");
        string configuration = $$"""
            directory: {run}
            taps: {http: '127.0.0.1:{{taps}}'}
            web: 127.0.0.1:{{web}}
            permissions: {view: everyone, control: everyone, tokens: [{name: viewer, file: {folder}/viewer.token, cameras: all}]}
            cameras:
              front: {source: 'test:i420@64x48@25', readers: everyone}
            """;
        daemon.Write(configuration);
        daemon.Start();
        daemon.Process.WaitForLog("[600 taps-http]");
        daemon.Process.WaitForLog("[720 web-ready]");
        daemon.Process.WaitFor("front", stream => stream.Description?.Head > 0);
        Actor[] actors = [.. ((Account[])[Account.Root, Account.Own, Account.Stranger]).Select(account => new Actor(account))];
        try
        {
            foreach (Actor actor in actors)
            {
                (int Status, byte[] Content)[] refusals =
                [
                    actor.Web(web, "/metrics"), actor.Web(web, "/events/stream"), actor.Web(web, "/api/cameras/restart", body: """{"key": "front"}"""), actor.Web(taps, "/"), actor.Web(taps, "/front.jpeg"),
                ];
                Assert.All(refusals, answer =>
                {
                    string text = Encoding.UTF8.GetString(answer.Content);
                    Assert.True(answer.Status == 401, $"{actor.Account}: {answer.Status} {text}");
                    Assert.StartsWith("A token is needed (Authorization: Bearer ..., see permissions.tokens in the configuration), because it is not known who asks.", text, StringComparison.Ordinal);
                    Assert.Contains("(AF_NETLINK, sock_diag): socket answered EAFNOSUPPORT", text, StringComparison.Ordinal);
                });
                Assert.Equal(401, actor.Web(web, "/metrics", new string('x', 64)).Status);
                Assert.Equal(200, actor.Web(web, "/metrics", token).Status);
                Assert.Equal(403, actor.Web(web, "/api/cameras/restart", token, """{"key": "front"}""").Status);
                Assert.Equal(200, actor.Web(taps, "/front.jpeg", token).Status);
                Assert.Equal(200, actor.Web(web, "/health/live").Status);

                // Sockets have SO_PEERCRED, which is no netlink.
                Assert.Equal("OK", actor.Call("unix:" + daemon.ControlSocket, ListCameras).Status);
                Assert.Null(actor.Hello(daemon.StreamSocket("front")));
            }
        }
        finally
        {
            Array.ForEach(actors, actor => actor.Dispose());
        }

        daemon.Reload(configuration.Replace("24", "25", StringComparison.Ordinal) + "\n");
        string line = Assert.Single(daemon.Process.Log, line => line.Contains("peers-unknown", StringComparison.Ordinal));
        Assert.Contains("[734 peers-unknown] It is not known which user connects by TCP, so only those who send a token are answered there.", line, StringComparison.Ordinal);
        Assert.Contains("EAFNOSUPPORT", line, StringComparison.Ordinal);
        Assert.Contains("RestrictAddressFamilies=", line, StringComparison.Ordinal);
        Assert.Equal(0, daemon.Process.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.Process.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void The_packages_unit_lets_the_daemon_ask()
    {
        string unit = File.ReadAllText(Path.Combine(Repository.Root, "daemon", "cuframesd.service"));
        string families = Assert.Single(unit.Split('\n'), line => line.StartsWith("RestrictAddressFamilies=", StringComparison.Ordinal));
        Assert.Equal(["AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"], families.Split('=')[1].Split(' ').Order(StringComparer.Ordinal));
        Assert.Contains(families, File.ReadAllText(Path.Combine(Repository.Root, "docs", "permissions.md")), StringComparison.Ordinal);
    }

    /// <summary>
    /// A stranger sends a request and resets the connection; then root's next connection gets the port. The daemon, which was busy, must not take the request for root's.
    /// </summary>
    [Fact]
    public async Task A_request_whose_connection_was_reset_is_not_of_the_ports_next_user()
    {
        int web = Ports.Free();
        using AccessDaemon daemon = AccessDaemon.Run($"directory: {{run}}\nweb: 127.0.0.1:{web}\ncameras:\n  front: {{source: 'test:i420@64x48@25'}}\n");
        daemon.Process.WaitForLog("[720 web-ready]");
        using Actor stranger = new(Account.Stranger);
        const string Body = """{"key": "front"}""";
        string request = $"POST /api/cameras/restart HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {Body.Length}\r\n\r\n{Body}";
        int attempts = 0;
        for (int round = 0; round < 3; attempts++)
        {
            Assert.True(attempts < 50, "other processes take each port first");
            daemon.Process.Signal(19);
            using Socket root = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                int port = stranger.Do(new JsonObject { ["do"] = "vanish", ["port"] = web, ["request"] = request, ["reset"] = true }).GetProperty("port").GetInt32();
                root.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
                root.Bind(new IPEndPoint(IPAddress.Loopback, port));
                root.Connect(IPAddress.Loopback, web);
            }
            catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AddressNotAvailable)
            {
                // Another process of this machine has taken the port.
                continue;
            }
            finally
            {
                daemon.Process.Signal(18);
            }

            // Root itself is answered, on this connection and then on another one.
            await root.SendAsync("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
            byte[] answer = new byte[12];
            using NetworkStream stream = new(root);
            await stream.ReadExactlyAsync(answer, TestContext.Current.CancellationToken);
            Assert.Equal("HTTP/1.1 200", Encoding.ASCII.GetString(answer));
            using Actor other = new(Account.Root);
            Assert.Equal(200, other.Web(web, "/metrics").Status);
            round++;
        }

        Assert.DoesNotContain(daemon.Process.Log, line => line.Contains("control-done", StringComparison.Ordinal));
        Assert.Equal(0, daemon.Process.End().ExitCode);
        Assert.DoesNotContain(daemon.Process.Log, line => line.Contains("control-done", StringComparison.Ordinal));
    }

    /// <summary>Whoever may read nothing may not keep others from reading either: one user has a part of the connections, however many he makes.</summary>
    [Fact]
    public void One_user_cannot_have_all_connections_of_the_taps()
    {
        int taps = Ports.Free();
        using AccessDaemon daemon = AccessDaemon.Run($"directory: {{run}}\ntaps: {{http: '127.0.0.1:{taps}', clients: 4}}\ncameras:\n  front: {{source: 'test:i420@64x48@25'}}\n");
        daemon.Process.WaitForLog("[600 taps-http]");
        daemon.Process.WaitFor("front", stream => stream.Description?.Head > 0);
        using Actor stranger = new(Account.Stranger), own = new(Account.Own);

        // More than all users together can have.
        stranger.Do(new JsonObject { ["do"] = "crowd", ["port"] = taps, ["count"] = 120 });
        Assert.Equal(200, own.Web(taps, "/front.jpeg").Status);
        daemon.Process.WaitForLog("[605 tap-refused]", $"A connection of user {Account.Stranger.User} was refused: it has 36, which is the limit.");
    }
}
