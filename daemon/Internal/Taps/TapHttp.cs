using System.Net;
using System.Text.Json;
using CuFrames.Client.Internal;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Daemon.Internal.Serving;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>
/// The front door for browsers and for programs that know HTTP, at a loopback address. Kestrel reads the requests. Whoever asks is the user who owns the other end of
/// the connection, or sends a token, and gets what he may read.
/// </summary>
internal sealed class TapHttp : IDisposable
{
    /// <summary>Connections of one user beyond the limit of clients: they get an answer that says so, and the list.</summary>
    private const int MoreConnections = 32;

    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(30);

    private readonly TapClients _clients;
    private readonly Func<IReadOnlyDictionary<string, TapPoint>> _points;
    private readonly Func<AccessControl> _access;
    private readonly Log _log;
    private readonly LimitedLog _refusals;
    private readonly HttpServer _server;

    /// <summary>Begins to serve; an address that cannot be used is tried again until <see cref="Dispose"/>.</summary>
    /// <param name="address">A loopback address.</param>
    /// <param name="clients">Serves the clients.</param>
    /// <param name="points">Gives the streams there are, by key.</param>
    /// <param name="access">Who a caller is.</param>
    /// <param name="gate">Lets connections in while there are descriptors.</param>
    /// <param name="log">The log.</param>
    internal TapHttp(IPEndPoint address, TapClients clients, Func<IReadOnlyDictionary<string, TapPoint>> points, Func<AccessControl> access, DescriptorGate gate, Log log)
    {
        (Address, _clients, _points, _access, _log) = (address, clients, points, access, log);
        _refusals = new LimitedLog(log, LogEvents.TapsQuiet, "clients of taps");
        int connections = clients.Limits.Clients + MoreConnections;
        ConnectionLimit users = new(connections, asksKernel: true, peer => _refusals.Write(
            LogEvents.TapRefused, $"A connection of {peer} was refused: it has {connections}, which is the limit."));
        _server = new HttpServer(
            new HttpServerSettings
            {
                Name = "the taps by HTTP",
                Listen = kestrel => kestrel.Listen(address, listen =>
                {
                    listen.Protocols = HttpProtocols.Http1;
                    users.ApplyTo(listen);
                }),
                Answer = AnswerAsync,
                Ready = LogEvents.TapsHttp,
                ReadyText = $"http://{address}/ lists the taps. Every user of this machine gets there what he may read.",
                Unavailable = LogEvents.TapsUnavailable,
                UnavailableText = $"The taps cannot be served by HTTP at {address}",

                // As many again: whoever has all that one user may have leaves room for others.
                MaxConnections = 2 * connections,
                MaxBody = 0,
                IdleTime = IdleTime,

                // A stream has the rate that it has; who takes nothing is found out by TapOutput.
                CutsSlowReaders = false,
            },
            gate,
            log);
    }

    /// <summary>The address.</summary>
    internal IPEndPoint Address { get; }

    /// <inheritdoc/>
    public void Dispose() => _server.Dispose();

    private async Task AnswerAsync(HttpContext context, CancellationToken ending)
    {
        HttpRequest request = context.Request;
        HttpResponse response = context.Response;
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        if (!IsLocal(request.Host))
        {
            // A page of another site whose name was made to point here would be allowed to read the answers.
            await SayAsync(response, StatusCodes.Status421MisdirectedRequest, $"This server is localhost, 127.0.0.1 or [::1]; the request names '{request.Host.Host}'.").ConfigureAwait(false);
            return;
        }

        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
        {
            response.Headers.Allow = "GET, HEAD";
            await SayAsync(response, StatusCodes.Status405MethodNotAllowed, "Taps are read with GET.").ConfigureAwait(false);
            return;
        }

        Caller caller;
        try
        {
            caller = _access().Find(context);
        }
        catch (AccessException error)
        {
            string text = $"{context.Connection.RemoteIpAddress}:{context.Connection.RemotePort} does not get {request.Path}: {error.Message}";
            _refusals.Write(LogEvents.TapRefused, text);
            _log.Audit.Write(LogEvents.TapRefused, text);
            if (error.Status == AccessException.Unauthenticated)
            {
                response.Headers.WWWAuthenticate = "Bearer";
            }

            await SayAsync(response, error.Status, error.Message).ConfigureAwait(false);
            return;
        }

        string name = request.Path.Value is { Length: > 1 } path ? path[1..] : "";
        if (name.Length == 0)
        {
            await ListAsync(request, response, caller).ConfigureAwait(false);
            return;
        }

        if (Find(name) is not (TapPoint point, TapKind kind))
        {
            string names = string.Join('\n', _points().Values.OrderBy(candidate => candidate.Stream.Key, StringComparer.Ordinal)
                .SelectMany(candidate => candidate.Stream.Kinds.Where(kind => MayRead(caller, candidate, kind)).Select(kind => $"/{candidate.Stream.Key}.{TapKinds.NameOf(kind)}")));
            await SayAsync(response, StatusCodes.Status404NotFound, $"There is no tap /{name}. There are:\n{names}").ConfigureAwait(false);
            return;
        }

        await ServeAsync(context, caller, point, kind, ending).ConfigureAwait(false);
    }

    private async Task ServeAsync(HttpContext context, Caller caller, TapPoint point, TapKind kind, CancellationToken ending)
    {
        HttpResponse response = context.Response;
        string name = $"{caller.Name} ({context.Connection.RemoteIpAddress}:{context.Connection.RemotePort})";
        if (caller.FindReadObstacle(point.Stream.Key, point.Stream.ReadersOf(kind)) is { } rule)
        {
            _clients.Refuse($"{point.Stream.Key}.{TapKinds.NameOf(kind)}", name, caller.Peer, rule, point.Stream.Key);
            await SayAsync(response, StatusCodes.Status403Forbidden, rule).ConfigureAwait(false);
            return;
        }

        response.ContentType = TapKinds.ContentTypeOf(kind);
        if (HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }

        if (_clients.TryEnter(point, caller.Peer, out ReaderShare? share) is { } obstacle)
        {
            _clients.Refuse($"{point.Stream.Key}.{TapKinds.NameOf(kind)}", name, caller.Peer, obstacle, point.Stream.Key);
            response.Headers.RetryAfter = "5";
            await SayAsync(response, StatusCodes.Status503ServiceUnavailable, obstacle).ConfigureAwait(false);
            return;
        }

        TapClient client = new(point, kind, IsHttp: true, name) { Peer = caller.Peer, Share = share };
        using CancellationTokenSource gone = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, point.Ending.Token, ending);
        TapException? error = await _clients.ServeAsync(client, response.Body, gone.Token, length => response.ContentLength = length).ConfigureAwait(false);
        if (error is not null && !response.HasStarted && !gone.IsCancellationRequested)
        {
            response.ContentLength = null;
            await SayAsync(response, error.Status, error.Message).ConfigureAwait(false);
        }
        else if (error is not null || client.WasCut)
        {
            // Not the orderly end of a body.
            context.Abort();
        }
    }

    private static bool MayRead(Caller caller, TapPoint point, TapKind kind) => caller.MayRead(point.Stream.Key, point.Stream.ReadersOf(kind));

    private async Task ListAsync(HttpRequest request, HttpResponse response, Caller caller)
    {
        // Of a stream whose frames and packets have other readers, only those taps.
        List<TapListing> streams = TapListing.Of(_points().Values, Address, (point, kind) => MayRead(caller, point, kind));
        bool wantsPage = request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);
        response.ContentType = wantsPage ? "text/html; charset=utf-8" : "application/json";
        response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'";
        string text = wantsPage ? TapPage.Of(streams) : JsonSerializer.Serialize(new TapListings(streams), TapJson.Indented.TapListings);
        await response.WriteAsync(text).ConfigureAwait(false);
    }

    private (TapPoint Point, TapKind Kind)? Find(string name)
    {
        int dot = name.LastIndexOf('.');
        if (dot < 0 || !_points().TryGetValue(name[..dot], out TapPoint? point))
        {
            return null;
        }

        foreach (TapKind kind in point.Stream.Kinds)
        {
            if (name.AsSpan(dot + 1).SequenceEqual(TapKinds.NameOf(kind)))
            {
                return (point, kind);
            }
        }

        return null;
    }

    /// <summary>Whether a request names this machine: by any port, since ports may be forwarded.</summary>
    private static bool IsLocal(HostString host) =>
        string.Equals(host.Host, "localhost", StringComparison.OrdinalIgnoreCase) ||
        (IPAddress.TryParse(host.Host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address));

    private static Task SayAsync(HttpResponse response, int status, string text)
    {
        response.StatusCode = status;
        response.ContentType = "text/plain; charset=utf-8";
        return response.WriteAsync($"{text.TrimEnd('.')}{(text.Contains('\n', StringComparison.Ordinal) ? "" : ".")}\n");
    }
}
