using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CuFrames.Control;
using CuFrames.Control.V1;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Tests;
using CuFrames.Interop;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Access.Tests;

/// <summary>Tokens: what each may do by each way, their files, and those who guess.</summary>
public sealed class TokenTests
{
    private const string ListCameras = "ListCameras";

    private static readonly PeerCredentials Self = PeerCredentials.OfThisProcess();

    [Fact]
    public async Task What_each_token_may_do_by_each_way()
    {
        int tcp = Ports.Free(), web = Ports.Free(), taps = Ports.Free();
        using AccessDaemon daemon = new("cameras: {}");
        string viewer = daemon.MakeToken("viewer.token"), guard = daemon.MakeToken("guard.token"), operating = daemon.MakeToken("operator.token");
        string certificate = MakeCertificate(daemon, "localhost");
        daemon.Write($$"""
            directory: {run}
            taps: {http: '127.0.0.1:{{taps}}'}
            web: 127.0.0.1:{{web}}
            control: {tcp: '127.0.0.1:{{tcp}}', certificate: {folder}/tls.pem, key: {folder}/tls.key}
            permissions:
              audit: {{daemon.Process.RuntimeDirectory}}/audit.jsonl
              tokens:
                - {name: viewer, file: {folder}/viewer.token}
                - {name: guard, file: {folder}/guard.token, cameras: [front]}
                - {name: operator, file: {folder}/operator.token, may: control, cameras: all}
            cameras:
              front: {source: 'test:i420@64x48@25', renditions: { small: { size: 32x24 } } }
              garden: {source: 'test:i420@64x48@25'}
            """);
        daemon.Start();
        daemon.Process.WaitForLog("[700 control-ready]", $"https://127.0.0.1:{tcp}");
        daemon.Process.WaitForLog("[600 taps-http]");
        daemon.Process.WaitForLog("[720 web-ready]");
        daemon.Process.WaitFor("front", stream => stream.Description?.Head > 0);

        // As users whom no rule lets in: what is done is done for the token. One character more or less is another token; each of these comes from another user, who
        // has not sent too many wrong ones.
        foreach ((Account account, string? token, bool isKnown, bool mayControl, bool mayFront, bool mayGarden) in ((Account, string?, bool, bool, bool, bool)[])
            [
                (Account.Stranger, viewer, true, false, false, false),
                (Account.Stranger, guard, true, false, true, false),
                (Account.Stranger, operating, true, true, true, true),
                (Account.Stranger, viewer[..^1], false, false, false, false),
                (Account.Listed, viewer + "0", false, false, false, false),
                (Account.ListedGroupMember, "", false, false, false, false),
                (Account.Stranger, null, false, false, false, false),
            ])
        {
            using Actor stranger = new(account);
            // By TCP nobody is known without a token, not even root; elsewhere a stranger is a known user who may not.
            string unknown = token is null ? "PERMISSION_DENIED" : "UNAUTHENTICATED";
            int unknownStatus = token is null ? 403 : 401;
            foreach (string target in (string[])[$"localhost:{tcp}", $"unix:{daemon.ControlSocket}"])
            {
                bool isTcp = !target.StartsWith("unix:", StringComparison.Ordinal);
                string? ca = isTcp ? certificate : null;
                string refused = isTcp ? "UNAUTHENTICATED" : unknown;
                Assert.Equal((target, token, isKnown ? "OK" : refused), (target, token, stranger.Call(target, ListCameras, token: token, ca: ca).Status));
                Assert.Equal((target, token, mayControl ? "NOT_FOUND" : isKnown ? "PERMISSION_DENIED" : refused), (target, token, stranger.Call(target, "EvictReader", token: token, ca: ca).Status));
            }

            Assert.Equal((token, isKnown ? 200 : unknownStatus), (token, stranger.Web(web, "/metrics", token).Status));
            Assert.Equal((token, mayControl ? 404 : isKnown ? 403 : unknownStatus), (token, stranger.Web(web, "/api/readers/evict", token, """{"stream": "front", "id": 12345}""").Status));
            Assert.Equal((token, mayFront ? 200 : isKnown ? 403 : unknownStatus), (token, stranger.Web(taps, "/front.jpeg", token).Status));
            Assert.Equal((token, mayFront ? 200 : isKnown ? 403 : unknownStatus), (token, stranger.Web(taps, "/front@small.jpeg", token).Status));
            Assert.Equal((token, mayGarden ? 200 : isKnown ? 403 : unknownStatus), (token, stranger.Web(taps, "/garden.jpeg", token).Status));
        }

        // A refusal names the token's rule.
        using Actor someone = new(Account.Stranger);
        (_, byte[] text) = someone.Web(taps, "/garden.jpeg", guard);
        Assert.Equal("Token 'guard' may not read 'garden': 'cameras' of permissions.tokens names front. Add the camera there, and send SIGHUP.\n", Encoding.UTF8.GetString(text));
        Assert.Contains("'may' of permissions.tokens says view", someone.Call($"localhost:{tcp}", "EvictReader", token: guard, ca: certificate).Text, StringComparison.Ordinal);

        // The owner of the daemon without a token by TCP: nobody.
        using Actor root = new(Account.Root);
        Assert.Equal("UNAUTHENTICATED", root.Call($"localhost:{tcp}", ListCameras, ca: certificate).Status);

        // Our own client and the CLI.
        using (ControlClient client = new(new ControlServer("localhost", tcp, viewer) { Authorities = [.. ReadCertificates(certificate)] }))
        {
            Assert.Equal(["front", "garden"], (await client.ListCamerasAsync(TestContext.Current.CancellationToken)).Select(camera => camera.Key));
            RpcException refused = await Assert.ThrowsAsync<RpcException>(() => client.EvictReaderAsync(new Reader { Stream = "front", Id = 1 }, "", TestContext.Current.CancellationToken));
            Assert.Equal(RpcStatus.PermissionDenied, refused.Status);
        }

        using (ControlClient trusting = new(new ControlServer("localhost", tcp, viewer)))
        {
            RpcException unsafely = await Assert.ThrowsAsync<RpcException>(() => trusting.ListCamerasAsync(TestContext.Current.CancellationToken));
            Assert.Contains("certificate of the daemon at localhost", unsafely.Message, StringComparison.Ordinal);
        }

        string[] options = ["--control", $"localhost:{tcp}", "--token-file", Path.Combine(daemon.Files, "operator.token"), "--ca", certificate];
        string cli = Path.Combine(AppContext.BaseDirectory, "cuframes");
        Assert.Contains("Nobody reads.", TapReader.Run(cli, ["readers", .. options]).Errors, StringComparison.Ordinal);
        Assert.Equal(3, TapReader.Run(cli, ["evict", "front", "77", .. options]).ExitCode);
        Assert.Equal(0, TapReader.Run("env", [
            $"CUFRAMES_CONTROL=localhost:{tcp}", $"CUFRAMES_TOKEN_FILE={daemon.Files}/viewer.token", $"CUFRAMES_CA={certificate}", cli, "events", "--once"]).ExitCode);
        File.SetUnixFileMode(Path.Combine(daemon.Files, "viewer.token"), (UnixFileMode)0b110_100_100);
        (int exitCode, _, string errors) = TapReader.Run(cli, "readers", "--control", $"localhost:{tcp}", "--token-file", Path.Combine(daemon.Files, "viewer.token"));
        Assert.Equal(2, exitCode);
        Assert.Contains("Every user may get at the token", errors, StringComparison.Ordinal);

        // No token, in whole or in part, stands in the log or the audit.
        Assert.Equal(0, daemon.Process.End().ExitCode);
        string audit = File.ReadAllText(Path.Combine(daemon.Process.RuntimeDirectory, "audit.jsonl"));
        Assert.All((string[])[viewer, guard, operating], token =>
        {
            Assert.DoesNotContain(token[..16], daemon.Process.LogText, StringComparison.Ordinal);
            Assert.DoesNotContain(token[..16], audit, StringComparison.Ordinal);
        });
        Assert.Contains("\"caller\":\"token operator\"", audit, StringComparison.Ordinal);
        Assert.Contains("token operator", daemon.Process.LogText + audit, StringComparison.Ordinal);
    }

    /// <summary>A machine that vanishes says nothing: it is asked, and whoever watches events learns that there is nobody.</summary>
    [Fact]
    public async Task A_daemon_elsewhere_that_falls_silent_ends_the_calls_that_wait_for_it()
    {
        int tcp = Ports.Free();
        using AccessDaemon daemon = new("cameras: {}");
        string viewer = daemon.MakeToken("viewer.token"), certificate = MakeCertificate(daemon, "localhost");
        daemon.Write($$"""
            directory: {run}
            control: {tcp: '127.0.0.1:{{tcp}}', certificate: {folder}/tls.pem, key: {folder}/tls.key}
            permissions: {tokens: [{name: viewer, file: {folder}/viewer.token}]}
            cameras: {}
            """);
        daemon.Start();
        daemon.Process.WaitForLog("[700 control-ready]", "https://");
        using ControlClient client = new(new ControlServer("localhost", tcp, viewer) { Authorities = [.. ReadCertificates(certificate)] });
        await using IAsyncEnumerator<Event> events = client.WatchEventsAsync(null, 1, false, TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await events.MoveNextAsync());
        daemon.Process.Signal(Signals.Stop);
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await events.MoveNextAsync().AsTask().WaitAsync(2 * DaemonProcess.Patience, TestContext.Current.CancellationToken))
            {
                // What was on its way.
            }
        });
        Assert.True(error.Status == RpcStatus.Unavailable, $"{error}");
        daemon.Process.Signal(Signals.Continue);
    }

    [Fact]
    public void Tokens_and_certificates_are_replaced_while_the_daemon_runs()
    {
        int tcp = Ports.Free();
        string configuration = $$"""
            directory: {run}
            control: {tcp: '127.0.0.1:{{tcp}}', certificate: {folder}/tls.pem, key: {folder}/tls.key}
            permissions: {tokens: [{name: viewer, file: {folder}/viewer.token}]}
            cameras: {}
            """;
        using AccessDaemon daemon = new("cameras: {}");
        string before = daemon.MakeToken("viewer.token"), first = MakeCertificate(daemon, "localhost");
        string kept = Path.Combine(daemon.Files, "first.pem");
        File.Copy(first, kept);
        daemon.Write(configuration);
        daemon.Start();
        daemon.Process.WaitForLog("[700 control-ready]", "https://");
        using Actor actor = new(Account.Stranger);
        string target = $"localhost:{tcp}";
        Assert.Equal("OK", actor.Call(target, ListCameras, token: before, ca: kept).Status);

        string after = daemon.MakeToken("viewer.token"), second = MakeCertificate(daemon, "localhost");
        daemon.Reload();
        Assert.Equal("UNAUTHENTICATED", actor.Call(target, ListCameras, token: before, ca: second).Status);
        Assert.Equal("OK", actor.Call(target, ListCameras, token: after, ca: second).Status);
        Assert.Equal("UNAVAILABLE", actor.Call(target, ListCameras, token: after, ca: kept).Status);

        // A file with a fault: all stays as it was.
        daemon.WriteSecret("viewer.token", "too short\n");
        daemon.Reload(result: "[202 configuration-kept]");
        daemon.Process.WaitForLog("[201 configuration-invalid]", "viewer.token has 9 bytes in its line");
        Assert.Equal("OK", actor.Call(target, ListCameras, token: after, ca: second).Status);
    }

    [Fact]
    public void Whoever_guesses_is_not_listened_to_for_a_while()
    {
        int web = Ports.Free();
        using AccessDaemon daemon = new("cameras: {}");
        string token = daemon.MakeToken("viewer.token");
        daemon.Write($"directory: {{run}}\nweb: 127.0.0.1:{web}\npermissions: {{tokens: [{{name: viewer, file: {{folder}}/viewer.token}}]}}\ncameras: {{}}");
        daemon.Start();
        daemon.Process.WaitForLog("[720 web-ready]");
        using Actor guesser = new(Account.Stranger), other = new(Account.Listed);
        int[] answers = [.. Enumerable.Range(0, 40).Select(number => guesser.Web(web, "/metrics", $"{number:D32}").Status)];
        Assert.All(answers.Take(FailedAttempts.Burst), status => Assert.Equal(401, status));
        Assert.Contains(429, answers);

        // Then the right one is not looked at either; nobody else suffers.
        Assert.Equal(429, guesser.Web(web, "/metrics", token).Status);
        Assert.Equal(200, other.Web(web, "/metrics", token).Status);
        using Actor own = new(Account.Own);
        Assert.Equal(200, own.Web(web, "/metrics").Status);
    }

    [Fact]
    public void Wrong_tokens_are_counted_by_place_and_forgotten()
    {
        long now = 1;
        FailedAttempts attempts = new(() => now);
        for (int i = 0; i < FailedAttempts.Burst; i++)
        {
            Assert.True(attempts.MayTry("a"));
            attempts.Add("a");
        }

        Assert.False(attempts.MayTry("a"));
        Assert.True(attempts.MayTry("b"));
        now += FailedAttempts.Pause.Ticks * 100;
        Assert.True(attempts.MayTry("a"));
        attempts.Add("a");
        Assert.False(attempts.MayTry("a"));
        now += FailedAttempts.Pause.Ticks * 100 * FailedAttempts.Burst * 2;
        for (int i = 0; i < FailedAttempts.Burst; i++)
        {
            Assert.True(attempts.MayTry("a"));
            attempts.Add("a");
        }

        // A crowd of places: those that find no room are counted together, and what is forgotten makes room.
        for (int i = 0; i < 10_000; i++)
        {
            attempts.Add(i.ToString(CultureInfo.InvariantCulture));
        }

        Assert.False(attempts.MayTry("someone new"));
        now += FailedAttempts.Pause.Ticks * 100 * 20_000;
        Assert.True(attempts.MayTry("someone new"));
        Assert.Equal("20010DB800000001", FailedAttempts.PlaceOf(null, System.Net.IPAddress.Parse("2001:db8:0:1:2:3:4:5")));
        Assert.Equal("192.0.2.7", FailedAttempts.PlaceOf(null, System.Net.IPAddress.Parse("::ffff:192.0.2.7")));
    }

    [Fact]
    public void All_tokens_are_looked_at_whichever_fits()
    {
        // What can be measured of time says nothing on a machine that is shared: this looks at what is compared. Hashes of one length each, all of them.
        string[] texts = [.. Enumerable.Range(0, 50).Select(number => $"{number:D40}")];
        AccessToken[] tokens = [.. texts.Select((text, number) => new AccessToken($"t{number}", "", SHA256.HashData(Encoding.UTF8.GetBytes(text)), Permission.View, []))];
        AccessControl access = new(AccessConfiguration.Default with { Tokens = tokens }, Self, new FailedAttempts());
        Assert.All(texts.Zip(tokens), pair => Assert.Same(pair.Second, access.FindToken(pair.First)));
        Assert.All((string[])["", "0", new string('0', 39), new string('0', 41), new string('x', 100_000), "\0", "é"], text => Assert.Null(access.FindToken(text)));
        string source = File.ReadAllText(Path.Combine(Repository.Root, "daemon", "Internal", "Access", "AccessControl.cs"));
        Assert.Contains("CryptographicOperations.FixedTimeEquals(candidate.Hash, hash)", source, StringComparison.Ordinal);
    }

    /// <summary>Owner, group, mode of a file, and whether a daemon of user 34 and group 60 takes it.</summary>
    [Theory]
    [InlineData(34, 60, "0600", true)]
    [InlineData(34, 60, "0400", true)]
    [InlineData(34, 60, "0640", false)]
    [InlineData(34, 60, "0604", false)]
    [InlineData(34, 60, "0620", false)]
    [InlineData(34, 60, "0602", false)]
    [InlineData(34, 60, "0644", false)]
    [InlineData(0, 0, "0600", false)]
    [InlineData(0, 60, "0640", true)]
    [InlineData(0, 60, "0440", true)]
    [InlineData(0, 60, "0660", false)]
    [InlineData(0, 60, "0650", false)]
    [InlineData(0, 60, "0644", false)]
    [InlineData(0, 12, "0640", false)]
    [InlineData(9, 60, "0600", false)]
    [InlineData(9, 60, "0640", false)]
    public void The_mode_of_a_tokens_file(int user, int group, string mode, bool isTaken)
    {
        using AccessDaemon daemon = new("cameras: {}");
        daemon.MakeToken("x.token");
        TapReader.Get("chown", $"{user}:{group}", Path.Combine(daemon.Files, "x.token"));
        TapReader.Get("chmod", mode, Path.Combine(daemon.Files, "x.token"));
        daemon.Write("directory: {run}\npermissions: {tokens: [{name: x, file: {folder}/x.token}]}\ncameras: {}");
        daemon.Process.Start("--check");
        int exitCode = daemon.Process.WaitForExit();
        Assert.True(exitCode == (isTaken ? 0 : 2), $"{exitCode}: {daemon.Process.LogText}");
        if (!isTaken)
        {
            Assert.Contains($"permissions.tokens[0].file: {daemon.Files}/x.token ", daemon.Process.LogText, StringComparison.Ordinal);
            Assert.Contains("Accepted: the path of a file that holds the token", daemon.Process.LogText, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("0123456789012345678901234567890", "has 31 bytes in its line")]
    [InlineData("", "has 0 bytes in its line")]
    [InlineData("0123456789 123456789012345678901", "characters that no header of HTTP can carry")]
    [InlineData("01234567890123456789012345678901\n01234567890123456789012345678901", "has several lines")]
    public void The_content_of_a_tokens_file(string content, string fault)
    {
        using AccessDaemon daemon = new("cameras: {}");
        daemon.WriteSecret("x.token", content);
        daemon.Write("directory: {run}\npermissions: {tokens: [{name: x, file: {folder}/x.token}]}\ncameras: {}");
        daemon.Process.Start("--check");
        Assert.Equal(2, daemon.Process.WaitForExit());
        Assert.Contains(fault, daemon.Process.LogText, StringComparison.Ordinal);
        Assert.True(content.Length == 0 || !daemon.Process.LogText.Contains(content[..8], StringComparison.Ordinal), daemon.Process.LogText);
    }

    /// <summary>To open a pipe is to wait for somebody who writes: the daemon would stand still, at a reload with all its cameras.</summary>
    [Theory]
    [InlineData("mkfifo {path}")]
    [InlineData("mkfifo {path}.pipe && ln -s {path}.pipe {path}")]
    [InlineData("ln -s /dev/zero {path}")]
    public void A_tokens_file_that_is_no_file(string command)
    {
        using AccessDaemon daemon = new("cameras: {}");
        string path = Path.Combine(daemon.Files, "x.token");
        TapReader.Get("sh", "-c", command.Replace("{path}", path, StringComparison.Ordinal));
        daemon.Write("directory: {run}\npermissions: {tokens: [{name: x, file: {folder}/x.token}]}\ncameras: {}");
        daemon.Process.Start("--check");
        Assert.Equal(2, daemon.Process.WaitForExit());
        Assert.Contains($"{path} is no regular file", daemon.Process.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void A_certificate_is_checked_with_the_whole_configuration()
    {
        using AccessDaemon daemon = new("cameras: {}");
        MakeCertificate(daemon, "localhost");
        daemon.MakeToken("x.token");
        string Check(string certificate, string key, string tokens = "[{name: x, file: {folder}/x.token}]")
        {
            daemon.Write($"directory: {{run}}\ncontrol: {{tcp: '127.0.0.1:8477', certificate: {{folder}}/{certificate}, key: {{folder}}/{key}}}\npermissions: {{tokens: {tokens}}}\ncameras: {{}}");
            int seen = daemon.Process.Log.Count;
            daemon.Process.Start("--check");
            int exitCode = daemon.Process.WaitForExit();
            return $"{exitCode} {string.Join('\n', daemon.Process.Log.Skip(seen))}";
        }

        Assert.Equal("0 ", Check("tls.pem", "tls.key"));
        Assert.Contains("tls.key holds no certificate", Check("tls.key", "tls.key"), StringComparison.Ordinal);
        Assert.Contains("tls.pem has the mode 0644", Check("tls.pem", "tls.pem"), StringComparison.Ordinal);
        Assert.Contains("x.token holds no key, or not the one of", Check("tls.pem", "x.token"), StringComparison.Ordinal);
        Assert.Contains("there is no such file", Check("tls.pem", "no.key"), StringComparison.Ordinal);
        Assert.Contains("by TCP a token is asked for, and permissions.tokens names none", Check("tls.pem", "tls.key", "[]"), StringComparison.Ordinal);
    }

    /// <summary>Makes a certificate that signs itself, and its key.</summary>
    /// <returns>The certificate's file, which everybody may read.</returns>
    private static string MakeCertificate(AccessDaemon daemon, string name)
    {
        string certificate = Path.Combine(daemon.Files, "tls.pem"), key = Path.Combine(daemon.Files, "tls.key");
        TapReader.Get(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", $"/CN={name}", "-addext", $"subjectAltName=DNS:{name}",
            "-keyout", key, "-out", certificate);
        File.SetUnixFileMode(certificate, (UnixFileMode)0b110_100_100);
        File.SetUnixFileMode(key, (UnixFileMode)0b110_000_000);
        daemon.Give(key);
        return certificate;
    }

    private static System.Security.Cryptography.X509Certificates.X509Certificate2Collection ReadCertificates(string path)
    {
        System.Security.Cryptography.X509Certificates.X509Certificate2Collection certificates = [];
        certificates.ImportFromPemFile(path);
        return certificates;
    }
}
