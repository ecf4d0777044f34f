using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using CuFrames.Cli.Tests;
using CuFrames.TestKit;
using Microsoft.Playwright;
using Xunit;

namespace CuFrames.Web.Tests;

/// <summary>An open port is no open door: other users, other sites and other names are refused, and so is what is too large.</summary>
public sealed partial class ProtectionTests(Browser browser)
{
    private const string Cameras = "cameras: {a: {source: \"test:nv12@64x64@5\"}}";

    /// <summary>A user without any right here.</summary>
    private static readonly string[] SomebodyElse = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

    [Theory]
    [InlineData("GET", "/")]
    [InlineData("GET", "/cameras/a")]
    [InlineData("GET", "/events/stream")]
    [InlineData("POST", "/tiles")]
    [InlineData("POST", "/api/cameras/add")]
    [InlineData("POST", "/api/cameras/remove")]
    [InlineData("POST", "/api/cameras/restart")]
    [InlineData("POST", "/api/readers/evict")]
    public void Another_user_of_the_machine_gets_nothing(string method, string path)
    {
        using WebDaemon daemon = new(Cameras);
        string[] request = ["-X", method, "-H", "Content-Type: application/json", "-d", "{\"streams\":[\"a\"],\"key\":\"a\",\"settings\":\"source: test\",\"stream\":\"a\",\"id\":1}", daemon.Url + path];
        string answer = WebDaemon.Run(SomebodyElse[0], [.. SomebodyElse[1..], "curl", "-s", "-i", "--max-time", "20", .. request[..2], .. method == "GET" ? [] : request[2..6], request[6]]);
        Assert.Matches("^HTTP/1.1 403 ", answer);
        Assert.Contains("65534", answer, StringComparison.Ordinal);
        daemon.Daemon.WaitForLog("[722 web-refused]", $"{method} {path}");
        Assert.DoesNotContain("703 control-done", daemon.Daemon.LogText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host: evil.example", 421)]
    [InlineData("Host: localhost.evil.example", 421)]
    [InlineData("Host: localhost", 200)]
    [InlineData("Host: LOCALHOST:1", 200)]
    [InlineData("Host: [::1]:8476", 200)]
    [InlineData("Host: 127.0.0.1", 200)]
    [InlineData("Origin: http://evil.example", 403)]
    [InlineData("Origin: null", 403)]
    [InlineData("Origin: http://localhost:3000", 403)]
    [InlineData("Sec-Fetch-Site: cross-site", 403)]
    [InlineData("Sec-Fetch-Site: same-site", 403)]
    [InlineData("Sec-Fetch-Site: same-origin", 200)]
    [InlineData("Sec-Fetch-Site: none", 200)]
    public void Another_name_or_another_site_is_refused(string header, int status)
    {
        using WebDaemon daemon = new(Cameras);
        foreach (string path in (string[])["/", "/assets/common.js", "/login"])
        {
            Assert.StartsWith($"HTTP/1.1 {status} ", daemon.Curl("-H", header, daemon.Url + path), StringComparison.Ordinal);
        }

        // The same for what changes something: a camera that is not there tells that the request came through.
        string change = daemon.Curl("-H", header, "-H", "Content-Type: application/json", "-d", "{\"key\":\"nobody\"}", daemon.Url + "/api/cameras/restart");
        Assert.StartsWith($"HTTP/1.1 {(status == 200 ? 404 : status)} ", change, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/x-www-form-urlencoded", 415)]
    [InlineData("text/plain", 415)]
    [InlineData("multipart/form-data; boundary=x", 415)]
    [InlineData("application/jsonp", 415)]
    [InlineData("application/json; charset=utf-8", 404)]
    public void What_a_form_can_send_changes_nothing(string type, int status)
    {
        using WebDaemon daemon = new(Cameras);
        Assert.StartsWith($"HTTP/1.1 {status} ", daemon.Curl("-H", $"Content-Type: {type}", "-d", "{\"key\":\"nobody\"}", daemon.Url + "/api/cameras/restart"), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_answer_is_protected_and_what_is_wrong_is_told()
    {
        using WebDaemon daemon = new(Cameras);
        string large = new('x', (64 << 10) + 1);
        (string Answer, int Status)[] answers =
        [
            (daemon.Curl(daemon.Url + "/"), 200),
            (daemon.Curl(daemon.Url + "/cameras/a"), 200),
            (daemon.Curl(daemon.Url + "/assets/dashboard.css"), 200),
            (daemon.Curl(daemon.Url + "/assets/nothing"), 404),
            (daemon.Curl(daemon.Url + "/assets/..%2f..%2fetc%2fpasswd"), 404),
            (daemon.Curl(daemon.Url + "/nothing"), 404),
            (daemon.Curl("-X", "DELETE", daemon.Url + "/"), 405),
            (daemon.Curl("-X", "POST", "-H", "Content-Type: application/json", "-d", "{}", daemon.Url + "/"), 405),
            (daemon.Curl(daemon.Url + "/tiles"), 405),
            (daemon.Curl("-H", "Content-Type: application/json", "-d", "{\"streams\":[", daemon.Url + "/tiles"), 400),
            (daemon.Curl("-H", "Content-Type: application/json", "-d", "{\"streams\":[\"../a\"]}", daemon.Url + "/tiles"), 400),
            (daemon.Curl("-H", "Content-Type: application/json", "-d", "[]", daemon.Url + "/api/cameras/add"), 400),
            (daemon.Curl("-H", "Content-Type: application/json", "-d", "{\"key\":7}", daemon.Url + "/api/cameras/add"), 400),
            (daemon.Curl("-H", "Content-Type: application/json", "-d", "{\"stream\":\"a\",\"id\":-1}", daemon.Url + "/api/readers/evict"), 400),
            (daemon.Curl("-H", "Content-Type: application/json", "-d", $"{{\"token\":\"{large}\"}}", daemon.Url + "/login"), 413),
            (daemon.Curl("-H", "Authorization: Bearer wrong", daemon.Url + "/"), 401),
        ];
        foreach ((string answer, int status) in answers)
        {
            Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
            Assert.Contains("Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; ", answer, StringComparison.Ordinal);
            Assert.Contains("frame-ancestors 'none'", answer, StringComparison.Ordinal);
            Assert.Contains("X-Content-Type-Options: nosniff", answer, StringComparison.Ordinal);
            Assert.Contains("Cross-Origin-Resource-Policy: same-origin", answer, StringComparison.Ordinal);
            Assert.DoesNotContain("Server:", answer, StringComparison.Ordinal);
            Assert.DoesNotContain("Access-Control-Allow", answer, StringComparison.Ordinal);
        }

        // Not even Kestrel lets these in.
        Assert.StartsWith("HTTP/1.1 414 ", daemon.Curl($"{daemon.Url}/{new string('a', 5000)}"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 431 ", daemon.Curl("-H", $"X: {new string('a', 20_000)}", daemon.Url), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", daemon.Curl(daemon.Url), StringComparison.Ordinal);
    }

    /// <summary>A page of another site, in a browser whose user may do everything, can neither read nor change nor show anything.</summary>
    [Fact]
    public async Task A_page_of_another_site_reaches_nothing()
    {
        using WebDaemon daemon = new("cameras: {a: {source: \"test:nv12@64x64@5\"}}");
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task serving = ServeAsync(listener, $"<!doctype html><iframe id=frame src='{daemon.Url}/'></iframe><img id=image src='{daemon.Url}/assets/icon.svg'><form id=form method=post enctype=text/plain action='{daemon.Url}/api/cameras/restart'><input name='{{\"key\":\"a\",\"x\":\"' value='\"}}'></form>");
        await using WatchedPage watched = await browser.OpenAsync();
        IPage page = watched.Page;
        await page.GotoAsync($"http://localhost:{((IPEndPoint)listener.LocalEndpoint).Port}/");
        string[] outcomes = await page.EvaluateAsync<string[]>(
            """
            async url => {
              const outcomes = [];
              const attempts = [
                ['/', {}], ['/events/stream', {}], ['/api/cameras/restart', { method: 'POST', body: '{"key":"a"}', headers: { 'Content-Type': 'application/json' } }],
                ['/api/cameras/restart', { method: 'POST', body: '{"key":"a"}', mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } }],
                ['/tiles', { method: 'POST', body: '{"streams":["a"]}', headers: { 'Content-Type': 'application/json' } }],
              ];
              for (const [path, options] of attempts) {
                try {
                  const response = await fetch(url + path, { credentials: 'include', ...options });
                  outcomes.push(`${path} ${response.type} ${response.status}`);
                } catch (error) {
                  outcomes.push(`${path} failed`);
                }
              }
              outcomes.push(`image ${document.getElementById('image').naturalWidth}`);
              return outcomes;
            }
            """,
            daemon.Url);
        Assert.Equal(
            ["/ failed", "/events/stream failed", "/api/cameras/restart failed", "/api/cameras/restart failed", "/tiles failed", "image 0"],
            outcomes.Select(outcome => outcome.Replace("opaque 0", "failed", StringComparison.Ordinal)));
        Assert.NotEqual(daemon.Url + "/", await page.Locator("#frame").EvaluateAsync<string>("frame => { try { return frame.contentWindow.location.href; } catch { return 'refused'; } }"));
        Assert.DoesNotContain(page.Frames, frame => frame.Url.StartsWith(daemon.Url, StringComparison.Ordinal));
        IResponse refusal = await page.RunAndWaitForResponseAsync(
            () => page.EvaluateAsync("() => document.getElementById('form').submit()"), response => response.Url == $"{daemon.Url}/api/cameras/restart");
        Assert.Equal(403, refusal.Status);
        Assert.Contains("may not ask here", await refusal.TextAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain("started anew", daemon.Daemon.LogText, StringComparison.Ordinal);
        listener.Stop();
        await serving;
    }

    /// <summary>Scripts that come into the page by what cameras and readers are called are only text.</summary>
    [Fact]
    public async Task What_others_call_themselves_is_only_text()
    {
        using WebDaemon daemon = new(Cameras);
        using TestKit.PeerProcess peer = TestKit.PeerProcess.Start("subscriber", "--dir", daemon.Daemon.RuntimeDirectory, "--key", "a", "--program", "<img src=x onerror=alert(1)>");
        peer.Ask("open", "open");
        await using WatchedPage watched = await browser.OpenAsync();
        await watched.Page.GotoAsync(daemon.Url);
        await watched.WaitForAsync("() => document.querySelector('#reader-table tbody')?.textContent.includes('<img src=x onerror=alert(1)>')");
        Assert.Equal(0, await watched.Page.Locator("#reader-table img, #log img").CountAsync());

        // And if it were more, the policy would stop it.
        await watched.Page.EvaluateAsync("() => { const script = document.createElement('script'); script.textContent = 'window.isBroken = true'; document.body.append(script); }");
        Assert.False(await watched.Page.EvaluateAsync<bool>("() => window.isBroken === true"));
        Assert.All(watched.TakeTroubles(), trouble => Assert.Contains("Content Security Policy", trouble, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Who_is_unknown_logs_in_with_a_token()
    {
        string folder = Directory.CreateTempSubdirectory("cuframes-token-").FullName;
        try
        {
            string file = Path.Combine(folder, "token");
            string token = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
            File.WriteAllText(file, token + "\n");
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            string configuration = $"permissions: {{tokens: [{{name: office, file: {file}, may: view, cameras: [a]}}]}}\ncameras: {{a: {{source: \"test:nv12@64x64@5\"}}, b: {{source: \"test:nv12@64x64@5\"}}}}";
            using WebDaemon daemon = new(configuration);
            Assert.Contains("<h1>Log in</h1>", Nobody(daemon, "-H", "Accept: text/html", daemon.Url + "/"), StringComparison.Ordinal);
            string wrong = Nobody(daemon, "-H", "Content-Type: application/json", "-d", "{\"token\":\"wrong\"}", daemon.Url + "/login");
            Assert.StartsWith("HTTP/1.1 401 ", wrong, StringComparison.Ordinal);
            Assert.DoesNotContain("Set-Cookie", wrong, StringComparison.Ordinal);
            string login = Nobody(daemon, "-H", "Content-Type: application/json", "-d", $"{{\"token\":\"{token}\"}}", daemon.Url + "/login");
            Match cookie = SetCookie().Match(login);
            Assert.True(cookie.Success, login);
            Assert.Contains("httponly", cookie.Value, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("samesite=strict", cookie.Value, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("secure", cookie.Value, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(token, login, StringComparison.Ordinal);
            string held = $"Cookie: {cookie.Groups[1].Value}";
            Assert.StartsWith("HTTP/1.1 200 ", Nobody(daemon, "-H", held, daemon.Url + "/"), StringComparison.Ordinal);

            // The token may look and not change, and sees the pictures of the cameras that it names.
            string change = Nobody(daemon, "-H", held, "-H", "Content-Type: application/json", "-d", "{\"key\":\"a\"}", daemon.Url + "/api/cameras/restart");
            Assert.StartsWith("HTTP/1.1 403 ", change, StringComparison.Ordinal);
            Assert.Contains("\\xff\\xd8", Tiles(daemon, held, "a", seconds: 90), StringComparison.Ordinal);
            string refused = Tiles(daemon, held, "b", seconds: 5);
            Assert.DoesNotContain("\\xff\\xd8", refused, StringComparison.Ordinal);
            Assert.Contains("Token 'office' may not read", refused, StringComparison.Ordinal);

            // The cookie is of no use to another user of this machine, nor without its token.
            string other = WebDaemon.Run("setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", "curl", "-s", "-i", "-H", held, daemon.Url + "/");
            Assert.StartsWith("HTTP/1.1 403 ", other, StringComparison.Ordinal);
            daemon.Daemon.WaitForLog("[723 web-login] token office logged in");
            Assert.DoesNotContain(token, daemon.Daemon.LogText, StringComparison.Ordinal);
            File.WriteAllText(file, Convert.ToHexString(RandomNumberGenerator.GetBytes(16)));
            int seen = daemon.Daemon.Log.Count;
            daemon.Daemon.Signal(1);
            daemon.Daemon.WaitForLog("[200 ", seen: seen);

            // A page that is still open goes on asking. It is not taken for somebody who guesses, so its user can log in anew.
            for (int i = 0; i < 15; i++)
            {
                Assert.StartsWith("HTTP/1.1 403 ", Nobody(daemon, "-H", held, daemon.Url + "/"), StringComparison.Ordinal);
            }

            Assert.StartsWith("HTTP/1.1 200 ", Nobody(daemon, "-H", "Content-Type: application/json", "-d", $"{{\"token\":\"{File.ReadAllText(file)}\"}}", daemon.Url + "/login"), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task The_login_page_logs_in_and_out()
    {
        string folder = Directory.CreateTempSubdirectory("cuframes-token-").FullName;
        try
        {
            string file = Path.Combine(folder, "token");
            File.WriteAllText(file, "a-token-of-the-office-0123456789");
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            using WebDaemon daemon = new($"permissions: {{tokens: [{{name: office, file: {file}, may: view, cameras: all}}]}}\n{Cameras}");
            await using WatchedPage watched = await browser.OpenAsync();
            IPage page = watched.Page;
            await page.GotoAsync(daemon.Url + "/login");
            await page.FillAsync("#token", "wrong");
            await page.Keyboard.PressAsync("Enter");
            await watched.WaitForAsync("() => document.querySelector('#problem').textContent.includes('The token is none of this daemon')");
            await page.FillAsync("#token", "a-token-of-the-office-0123456789");
            await page.Keyboard.PressAsync("Enter");
            await watched.WaitForAsync("() => location.pathname === '/' && document.querySelector('[data-key=a] .state')?.textContent === 'Live' && document.body.classList.contains('view-only')");
            Assert.True(await page.Locator("#add").IsHiddenAsync());
            Assert.True(await page.Locator("#logout").IsVisibleAsync());
            await page.ClickAsync("#logout");

            // Without the token the kernel's word counts, which is root's here.
            await watched.WaitForAsync("() => document.querySelector('#add')?.offsetParent && document.querySelector('#logout').hidden");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_port_in_use_is_told_and_tried_again()
    {
        using TcpListener occupied = new(IPAddress.Loopback, Ports.Free());
        occupied.Start();
        int port = ((IPEndPoint)occupied.LocalEndpoint).Port;
        using Daemon.Tests.DaemonProcess daemon = Daemon.Tests.DaemonProcess.Run($"web: 127.0.0.1:{port}\n{Cameras}");
        daemon.WaitForLog("[721 web-unavailable]", $"http://127.0.0.1:{port}/");
        daemon.WaitForLog("[301 camera-live]");
        occupied.Stop();
        daemon.WaitForLog("[720 web-ready]");

        // Another address takes the place of this one, and off is off.
        int other = Ports.Free();
        int seen = daemon.Log.Count;
        daemon.Write($"web: {{listen: '127.0.0.1:{other}', dashboard: off}}\n{Cameras}");
        daemon.WaitForLog("[720 web-ready]", $":{other}/", seen);
        Assert.StartsWith("HTTP/1.1 404 ", WebDaemon.Run("curl", "-s", "-i", $"http://127.0.0.1:{other}/"), StringComparison.Ordinal);
        Assert.Equal("", WebDaemon.Run("curl", "-s", "-i", $"http://127.0.0.1:{port}/"));
        seen = daemon.Log.Count;
        daemon.Write($"web: off\n{Cameras}");
        daemon.WaitForLog("[200 ", seen: seen);
        WebDaemon.WaitUntil(() => WebDaemon.Run("curl", "-s", "-i", $"http://127.0.0.1:{other}/").Length == 0, () => daemon.LogText);
    }

    [Fact]
    public void With_a_certificate_it_speaks_tls_and_answers_to_the_certificates_name()
    {
        string folder = Directory.CreateTempSubdirectory("cuframes-tls-").FullName;
        try
        {
            string certificate = Path.Combine(folder, "c.pem"), key = Path.Combine(folder, "k.pem");
            using (ECDsa pair = ECDsa.Create(ECCurve.NamedCurves.nistP256))
            {
                CertificateRequest request = new("CN=cameras.test", pair, HashAlgorithmName.SHA256);
                SubjectAlternativeNameBuilder names = new();
                names.AddDnsName("cameras.test");
                request.CertificateExtensions.Add(names.Build());
                using X509Certificate2 made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(2));
                File.WriteAllText(certificate, made.ExportCertificatePem());
                File.WriteAllText(key, pair.ExportPkcs8PrivateKeyPem());
            }

            int port = Ports.Free();
            string configuration = $"web: {{listen: '127.0.0.1:{port}', certificate: {certificate}, key: {key}}}\n{Cameras}";
            using Daemon.Tests.DaemonProcess daemon = new(configuration);
            File.SetUnixFileMode(key, (UnixFileMode)0b110_100_100);
            daemon.Start();
            daemon.WaitForLog("[721 web-unavailable]", "every user may read");
            File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            daemon.WaitForLog("[720 web-ready]", $"https://127.0.0.1:{port}/");
            string[] curl = ["-s", "-i", "--max-time", "30", "--cacert", certificate, "--resolve", $"cameras.test:{port}:127.0.0.1", "--resolve", $"other.test:{port}:127.0.0.1"];
            string answer = WebDaemon.Run("curl", [.. curl, $"https://cameras.test:{port}/"]);
            Assert.StartsWith("HTTP/2 200", answer, StringComparison.Ordinal);
            Assert.Contains("strict-transport-security: ", answer, StringComparison.OrdinalIgnoreCase);
            Assert.StartsWith("HTTP/2 421", WebDaemon.Run("curl", [.. curl, "-k", $"https://other.test:{port}/"]), StringComparison.Ordinal);
            Assert.Equal("", WebDaemon.Run("curl", "-s", "-i", $"http://127.0.0.1:{port}/"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void The_program_says_where_the_dashboard_is()
    {
        using WebDaemon daemon = new(Cameras);
        daemon.Daemon.WaitForLog("[700 control-ready]");
        CliResult found = Cli(daemon.Daemon);
        Assert.Equal((0, $"http://127.0.0.1:{daemon.Port}/\n"), (found.ExitCode, found.Output));
        using Daemon.Tests.DaemonProcess off = Daemon.Tests.DaemonProcess.Run(Cameras);
        off.WaitForLog("[700 control-ready]");
        CliResult none = Cli(off);
        Assert.NotEqual(0, none.ExitCode);
        Assert.Equal("", none.Output);
        Assert.Contains("web: 127.0.0.1:8476", none.Errors, StringComparison.Ordinal);

        static CliResult Cli(Daemon.Tests.DaemonProcess daemon) => CliProcess.Run(daemon.RuntimeDirectory, "dashboard");
    }

    [GeneratedRegex("(?i)set-cookie: ([^;\r]*)[^\r]*")]
    private static partial Regex SetCookie();

    private static string Nobody(WebDaemon daemon, params string[] arguments) =>
        WebDaemon.Run(SomebodyElse[0], [.. SomebodyElse[1..], "curl", "-s", "-i", "--max-time", "20", .. arguments]);

    /// <summary>What comes within a time, or until the first picture; bytes that are no text as escapes.</summary>
    private static string Tiles(WebDaemon daemon, string cookie, string stream, int seconds)
    {
        const string Read = "import sys; d = bytearray(); any((d.extend(p), b\"\\xff\\xd8\" in d)[1] for p in iter(lambda: sys.stdin.buffer.read1(65536), b\"\")); print(bytes(d))";
        string output = WebDaemon.Run(
            SomebodyElse[0],
            [
                .. SomebodyElse[1..], "bash", "-c",
                string.Create(CultureInfo.InvariantCulture, $"curl -s --max-time {seconds} -H '{cookie}' -H 'Content-Type: application/json' -d '{{\"streams\":[\"{stream}\"]}}' {daemon.Url}/tiles | python3 -c '{Read}'"),
            ]);
        return output;
    }

    private static async Task ServeAsync(TcpListener listener, string page)
    {
        byte[] answer = Encoding.UTF8.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {Encoding.UTF8.GetByteCount(page)}\r\nConnection: close\r\n\r\n{page}");
        try
        {
            while (true)
            {
                using TcpClient client = await listener.AcceptTcpClientAsync();
                NetworkStream stream = client.GetStream();
                _ = await stream.ReadAsync(new byte[4096]);
                await stream.WriteAsync(answer);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or IOException)
        {
            // The end of the test.
        }
    }
}
