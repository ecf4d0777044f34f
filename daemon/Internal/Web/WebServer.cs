using System.Net;
using System.Security.Cryptography.X509Certificates;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Daemon.Internal.Serving;
using CuFrames.Interop;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>
/// The daemon's web server: the dashboard, metrics and health, for browsers and tools on this machine, or with TLS on others. Kestrel reads the requests.
/// A request goes this way: (1) the name in <c>Host</c> must be this machine's; (2) a page of another site is refused; (3) the route; (4) who asks, and
/// whether he may; (5) the route's handler. Nothing of it runs on the control thread but what handlers ask it for.
/// </summary>
internal sealed class WebServer : IDisposable
{
    private const int MaxConnections = 256;

    /// <summary>Connections of one user of this machine, or of one other address: a browser opens six.</summary>
    private const int MaxConnectionsOfPeer = 64;

    /// <summary>
    /// Pages run their own script and nothing else, and nobody shows them in a frame. Pictures of tiles are blobs that the script makes.
    /// </summary>
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(60);

    private readonly WebSite _site;
    private readonly Log _log;
    private readonly LimitedLog _refusals;
    private readonly HttpServer _server;
    private readonly ConnectionLimit _peers;

    private X509Certificate2Collection? _chain;
    private X509Certificate2? _certificate;

    /// <summary>Begins to serve; an address that cannot be used is tried again until <see cref="Dispose"/>.</summary>
    /// <param name="configuration">Where; it has an address.</param>
    /// <param name="site">What is answered, and to whom.</param>
    /// <param name="gate">Lets connections in while there are descriptors.</param>
    /// <param name="log">The log.</param>
    internal WebServer(WebConfiguration configuration, WebSite site, DescriptorGate gate, Log log)
    {
        (Configuration, _site, _log) = (configuration, site, log);
        _refusals = new LimitedLog(log, LogEvents.WebQuiet, "refused requests of the web server");
        _peers = new ConnectionLimit(MaxConnectionsOfPeer, asksKernel: true, peer => _refusals.Write(
            LogEvents.WebRefused, $"A connection of {peer} was refused: it has {MaxConnectionsOfPeer}, which is the limit."));
        _server = new HttpServer(
            new HttpServerSettings
            {
                Name = "the web server",
                Listen = Listen,
                Answer = AnswerAsync,
                Ready = LogEvents.WebReady,
                ReadyText = $"{Configuration.Url} serves {(Configuration.Dashboard ? "the dashboard, " : "")}{(Configuration.Metrics ? "metrics, " : "")}health.",
                Unavailable = LogEvents.WebUnavailable,
                UnavailableText = $"{Configuration.Url} cannot be served",
                Advice = "; 'web' of the configuration names another address, or off",
                MaxConnections = MaxConnections,
                MaxBody = WebRequest.MaxBody,
                IdleTime = IdleTime,
                CutsSlowReaders = true,
            },
            gate,
            log);
    }

    /// <summary>What it was made of.</summary>
    internal WebConfiguration Configuration { get; }

    /// <summary>Why it does not serve now; empty: it does.</summary>
    internal string Problem => _server.Problem;

    /// <summary>Whether it serves, or could not at its first attempt.</summary>
    internal bool HasTried => _server.HasTried;

    /// <inheritdoc/>
    public void Dispose() => _server.Dispose();

    private void Listen(KestrelServerOptions kestrel)
    {
        LoadCertificate();
        kestrel.Listen(Configuration.Listen!, listen =>
        {
            listen.Protocols = _certificate is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
            _peers.ApplyTo(listen);
            if (_certificate is not null)
            {
                listen.UseHttps(https => (https.ServerCertificate, https.ServerCertificateChain, https.HandshakeTimeout) = (_certificate, _chain, HttpServer.HeadTime));
            }
        });
    }

    private void LoadCertificate()
    {
        if (Configuration.Certificate is not { } file)
        {
            return;
        }

        if ((File.GetUnixFileMode(Configuration.Key!) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite)) != 0)
        {
            throw new IOException($"every user may read or write the key {Configuration.Key}: take these rights away with chmod o= {Configuration.Key}");
        }

        _certificate = X509Certificate2.CreateFromPemFile(file, Configuration.Key);
        _chain = [];
        _chain.ImportFromPemFile(file);
    }

    private async Task AnswerAsync(HttpContext context, CancellationToken ending)
    {
        HttpResponse response = context.Response;
        IHeaderDictionary headers = response.Headers;
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers.CacheControl = "no-store";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        if (_certificate is not null)
        {
            headers.StrictTransportSecurity = "max-age=31536000";
        }

        using CancellationTokenSource gone = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, ending);
        try
        {
            CheckOrigin(context.Request);
            (WebRoute route, string parameter) = FindRoute(context);
            Caller? caller = route.Needed == Permission.None ? null : _site.FindCaller(context);
            caller?.Require(route.Needed, route.Needed == Permission.View ? "see this daemon" : "control this daemon");
            await route.Answer(new WebRequest(context, caller, parameter, gone.Token)).ConfigureAwait(false);
        }
        catch (Exception error) when (!response.HasStarted && error is WebException or AccessException)
        {
            int status = error is WebException refused ? refused.Status : ((AccessException)error).Status;
            if (status is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden or StatusCodes.Status421MisdirectedRequest or StatusCodes.Status429TooManyRequests)
            {
                string text = $"{context.Request.Method} {context.Request.Path}: {error.Message}";
                _refusals.Write(LogEvents.WebRefused, text);
                _log.Audit.Write(LogEvents.WebRefused, text, null, $"{context.Connection.RemoteIpAddress}", context.Features.Get<PeerCredentials>()?.UserId, status: $"{status}");
            }

            if (error is AccessException && IsPage(context.Request))
            {
                await _site.SendLoginAsync(new WebRequest(context, null, "", gone.Token), status, error.Message).ConfigureAwait(false);
                return;
            }

            await SayAsync(context, status, error.Message, gone.Token).ConfigureAwait(false);
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException error) when (!response.HasStarted)
        {
            await SayAsync(context, error.StatusCode, error.Message, gone.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // The caller has gone or the daemon ends: there is nobody to be told. An answer without an end must not look like a whole one.
            context.Abort();
        }
        catch (Exception error)
        {
            _log.Write(LogEvents.InternalError, $"{context.Request.Method} {context.Request.Path}: {error}");
            if (response.HasStarted)
            {
                context.Abort();
                return;
            }

            await SayAsync(context, StatusCodes.Status500InternalServerError, "A fault of the daemon, which is in its log (108 internal-error). Please report it.", gone.Token).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Refuses what a page of another site makes a browser ask. A name in <c>Host</c> that is not this machine's may have been made to point here; and
    /// browsers say in <c>Sec-Fetch-Site</c> and <c>Origin</c> whose page asks. Tools that are no browsers send neither.
    /// </summary>
    private void CheckOrigin(HttpRequest request)
    {
        string host = request.Host.Host;
        bool isKnown = string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host.Trim('[', ']'), out _) ||
            _certificate?.MatchesHostname(host) == true;
        if (!isKnown)
        {
            throw new WebException(
                StatusCodes.Status421MisdirectedRequest, $"The request names the host '{host}', and this server answers to localhost, to addresses, and to the names in its certificate");
        }

        string site = request.Headers["Sec-Fetch-Site"].ToString();
        bool isForeign = site is "cross-site" or "same-site";
        if (isForeign && !(HttpMethods.IsGet(request.Method) && request.Headers["Sec-Fetch-Mode"] == "navigate" && request.Headers["Sec-Fetch-Dest"] == "document"))
        {
            throw new WebException(StatusCodes.Status403Forbidden, "A page of another origin may not ask here");
        }

        string origin = request.Headers.Origin.ToString();
        if (origin.Length > 0 && !string.Equals(origin, $"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase))
        {
            throw new WebException(StatusCodes.Status403Forbidden, $"A page of {origin} may not ask here");
        }

        if (HttpMethods.IsPost(request.Method) && !IsJson(request))
        {
            throw new WebException(StatusCodes.Status415UnsupportedMediaType, "What is sent here is JSON, with Content-Type: application/json");
        }
    }

    private static bool IsJson(HttpRequest request) =>
        request.ContentType?.Split(';')[0].Trim().Equals("application/json", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>Whether a browser asks for a page to show.</summary>
    private bool IsPage(HttpRequest request) =>
        Configuration.Dashboard && HttpMethods.IsGet(request.Method) && request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);

    private (WebRoute Route, string Parameter) FindRoute(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "";
        List<string> methods = [];
        foreach (WebRoute route in _site.Routes.Where(route => route.IsServed(Configuration)))
        {
            if (route.Matches(path, out string parameter))
            {
                if (route.Method == context.Request.Method)
                {
                    return (route, parameter);
                }

                methods.Add(route.Method);
            }
        }

        if (methods.Count > 0)
        {
            context.Response.Headers.Allow = string.Join(", ", methods);
            throw new WebException(StatusCodes.Status405MethodNotAllowed, $"{path} is asked for with {string.Join(" or ", methods)}");
        }

        throw new WebException(StatusCodes.Status404NotFound, "There is nothing here. docs/dashboard.md says what there is");
    }

    private static Task SayAsync(HttpContext context, int status, string text, CancellationToken gone)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync($"{text.TrimEnd('.')}.\n", gone);
    }
}
