using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using CuFrames.Control;
using CuFrames.Control.Internal;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Daemon.Internal.Serving;
using CuFrames.Interop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace CuFrames.Daemon.Internal.Control;

/// <summary>
/// Calls of the gRPC wire protocol on a Unix socket, or by TCP with TLS: unary ones and ones that are answered with a stream. Kestrel reads HTTP/2. A call goes
/// this way: (1) the head is checked: method, path, content type, time-out; (2) the caller, by the kernel's word on who connected or by a token, which by TCP is the
/// only way, and whether it may call this method; (3) the handler reads the one request and gives messages, each of which is sent at once; (4) the trailers say how
/// it ended, also when the time is over, the caller has gone or the daemon ends. Nothing of a call is done on the control thread but what the handler asks it for.
/// </summary>
internal sealed class RpcServer : IDisposable
{
    /// <summary>Connections by TCP.</summary>
    private const int MaxConnections = 256;

    private const int MaxCallsPerConnection = 100;

    private const string ServerName = "the control API";

    /// <summary>Connections by TCP from one address: nobody is to take them all.</summary>
    private const int MaxConnectionsOfPeer = 32;

    /// <summary>Characters of a request in the audit: its caller decides how long its texts are.</summary>
    private const int MaxSaid = 1000;

    /// <summary>Bytes of a message that the buffers of a connection may not hold: its caller has to take it.</summary>
    private const int LargeMessage = 64 << 10;

    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(130);

    /// <summary>Time to take a large message: 4.5 Mbit a second for the largest.</summary>
    private static readonly TimeSpan LongestTaking = TimeSpan.FromSeconds(60);

    private readonly Dictionary<string, RpcHandler> _handlers;
    private readonly Func<AccessControl> _access;
    private readonly ConnectionLimit _addresses;
    private readonly PeerConnections _users = new();
    private readonly Log _log;
    private readonly LimitedLog _refusals;
    private readonly HttpServer _server;

    /// <summary>What callers by TCP are shown. Written by the control thread, read by each handshake.</summary>
    private volatile TlsCertificate? _certificate;

    /// <summary>Begins to serve a Unix socket; one that cannot be made is tried again until <see cref="Dispose"/>.</summary>
    /// <param name="path">The socket.</param>
    /// <param name="handlers">What answers.</param>
    /// <param name="access">Who may call.</param>
    /// <param name="gate">Lets connections in while there are descriptors.</param>
    /// <param name="log">The log.</param>
    internal RpcServer(string path, IEnumerable<RpcHandler> handlers, Func<AccessControl> access, DescriptorGate gate, Log log)
        : this(path, null, null, handlers, access, gate, log)
    {
    }

    /// <summary>Begins to serve by TCP with TLS; an address that cannot be used is tried again until <see cref="Dispose"/>.</summary>
    /// <param name="address">The address.</param>
    /// <param name="certificate">What callers are shown.</param>
    /// <param name="handlers">What answers.</param>
    /// <param name="access">Who may call.</param>
    /// <param name="gate">Lets connections in while there are descriptors.</param>
    /// <param name="log">The log.</param>
    internal RpcServer(IPEndPoint address, TlsCertificate certificate, IEnumerable<RpcHandler> handlers, Func<AccessControl> access, DescriptorGate gate, Log log)
        : this("", address, certificate, handlers, access, gate, log)
    {
    }

    private RpcServer(string path, IPEndPoint? address, TlsCertificate? certificate, IEnumerable<RpcHandler> handlers, Func<AccessControl> access, DescriptorGate gate, Log log)
    {
        (SocketPath, Address, _certificate, _access, _log) = (path, address, certificate, access, log);
        _refusals = new LimitedLog(log, LogEvents.ControlQuiet, "refused calls");
        _addresses = new ConnectionLimit(MaxConnectionsOfPeer, asksKernel: false, peer => _refusals.Write(
            LogEvents.ControlRefused, $"A connection from {peer} was refused: {MaxConnectionsOfPeer} come from there, which is the limit."));
        _handlers = handlers.ToDictionary(handler => handler.Path, StringComparer.Ordinal);
        string callers = Address is null ? "to those whom 'permissions' of the configuration names" : "to those who send a token";
        UnixListenerFactory? socket = Address is null ? new UnixListenerFactory(SocketPath, _users, _access, socket => gate.Admits($"A connection to {ServerName}", socket), SayClosed) : null;
        _server = new HttpServer(
            new HttpServerSettings
            {
                Name = ServerName,
                Listen = kestrel =>
                {
                    if (socket is null)
                    {
                        kestrel.Listen(Address!, ListenWithTls);
                    }
                    else
                    {
                        kestrel.Listen(socket.Address, Listen);
                    }
                },
                Transport = socket,
                Answer = AnswerAsync,
                Ready = LogEvents.ControlReady,
                ReadyText = $"The control API is served at {Place}, {callers}.",
                Unavailable = LogEvents.ControlUnavailable,
                UnavailableText = $"The control API cannot be served at {Place}",

                // On the socket each user has a limit, and closing a connection takes a moment: one limit of all would let a flood close others too.
                MaxConnections = socket is null ? MaxConnections : null,
                MaxStreamsPerConnection = MaxCallsPerConnection,
                MaxBody = RpcWire.MaxReceivedBytes + RpcWire.PrefixBytes,
                IdleTime = IdleTime,

                // A watcher of events may take nothing for hours, because nothing happens.
                CutsSlowReaders = false,
            },
            gate,
            log);
    }

    /// <summary>The socket where it is, or will be, served; empty: by TCP.</summary>
    internal string SocketPath { get; }

    /// <summary>The address where it is, or will be, served; null: on a socket.</summary>
    internal IPEndPoint? Address { get; }

    /// <summary>Whether it is served, or could not be at the first attempt.</summary>
    internal bool HasTried => _server.HasTried;

    private string Place => Address is null ? SocketPath : $"https://{Address}";

    /// <summary>Another certificate for handshakes from now on. Connections that are there stay.</summary>
    internal void SetCertificate(TlsCertificate certificate) => _certificate = certificate;

    /// <inheritdoc/>
    public void Dispose() => _server.Dispose();

    private void Listen(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http2;
        listen.Use(next => connection => CountAsync(connection, next));
    }

    /// <summary>A connection of the socket, from its beginning to its end.</summary>
    private async Task CountAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            _users.Remove(connection.Features.GetRequiredFeature<PeerCredentials>(), connection.Features.GetRequiredFeature<CountedPeer>().IsCaller);
        }
    }

    private void SayClosed(PeerCredentials peer) => _refusals.Write(
        LogEvents.ControlRefused, $"A connection of user {peer.UserId} (process {peer.ProcessId}) was closed: that user has too many.");

    private void ListenWithTls(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http2;
        _addresses.ApplyTo(listen);
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = HttpServer.HeadTime,
            OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
            {
                ServerCertificateContext = _certificate!.Context,
                ApplicationProtocols = [SslApplicationProtocol.Http2],
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            }),
        });
    }

    private async Task AnswerAsync(HttpContext context, CancellationToken ending)
    {
        HttpRequest request = context.Request;
        HttpResponse response = context.Response;
        if (!HttpMethods.IsPost(request.Method) || !RpcWire.IsContentType(request.ContentType))
        {
            bool isPost = HttpMethods.IsPost(request.Method);
            response.StatusCode = isPost ? StatusCodes.Status415UnsupportedMediaType : StatusCodes.Status405MethodNotAllowed;
            response.ContentType = "text/plain; charset=utf-8";
            await response.WriteAsync($"This socket speaks gRPC: calls are sent with POST and content type {RpcWire.ContentType}. See docs/control.md.\n", ending).ConfigureAwait(false);
            return;
        }

        response.ContentType = RpcWire.ContentType;
        response.Headers[RpcWire.AcceptEncodingHeader] = RpcWire.Identity;
        TimeSpan? limit = null;
        try
        {
            limit = ReadTimeout(request);
            await CallAsync(context, limit, ending).ConfigureAwait(false);
            End(response, RpcStatus.Ok, null);
        }
        catch (RpcException error)
        {
            End(response, error.Status, error.Message);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            End(response, RpcStatus.Unavailable, "The daemon ends.");
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            End(response, RpcStatus.DeadlineExceeded, $"{request.Path} was not done within {limit?.TotalSeconds:0.###} s.");
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // The caller has gone: there is nobody to be told.
        }
        catch (Exception error)
        {
            _log.Write(LogEvents.InternalError, $"{request.Path}: {error}");
            End(response, RpcStatus.Internal, "A fault of the daemon, which is in its log (108 internal-error). Please report it.");
        }
    }

    private async Task CallAsync(HttpContext context, TimeSpan? limit, CancellationToken ending)
    {
        HttpRequest request = context.Request;
        HttpResponse response = context.Response;
        string path = request.Path.Value ?? "";
        Caller caller = FindCaller(context, path);
        if (!_handlers.TryGetValue(path, out RpcHandler? handler))
        {
            throw new RpcException(RpcStatus.Unimplemented, $"There is no method {path}. This is cuframesd {Program.Version}, and control.proto of that version has its methods.");
        }

        string encoding = request.Headers[RpcWire.EncodingHeader].ToString();
        if (encoding.Length > 0 && encoding != RpcWire.Identity)
        {
            throw new RpcException(RpcStatus.Unimplemented, $"The request's encoding is '{encoding}', and only {RpcWire.Identity} is understood.");
        }

        if (caller.FindObstacle(handler.Needed, handler.Needed.HasFlag(Permission.Control) ? "control this daemon" : "see what this daemon does") is { } obstacle)
        {
            _refusals.Write(LogEvents.ControlRefused, $"{path}: {obstacle}");
            Audit(LogEvents.ControlRefused, caller, $"{path}: {obstacle}", RpcStatus.PermissionDenied);
            throw new RpcException(RpcStatus.PermissionDenied, obstacle);
        }

        string said = "";
        RpcStatus status = RpcStatus.Unknown;
        try
        {
            await AnswerAsync(context, handler, caller, limit, told => said = told.Length > MaxSaid ? told[..MaxSaid] + "..." : told, ending).ConfigureAwait(false);
            status = RpcStatus.Ok;
        }
        catch (RpcException error)
        {
            status = error.Status;
            throw;
        }
        finally
        {
            if (handler.Needed.HasFlag(Permission.Control))
            {
                Audit(LogEvents.ControlDone, caller, $"{path}{(said.Length > 0 ? $" ({said})" : "")}", status);
            }
        }
    }

    private static async Task AnswerAsync(HttpContext context, RpcHandler handler, Caller caller, TimeSpan? limit, Action<string> told, CancellationToken ending)
    {
        using CancellationTokenSource late = new(limit ?? Timeout.InfiniteTimeSpan);
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, context.RequestAborted, ending);
        RpcCall call = new(caller, end.Token);
        try
        {
            await foreach (byte[] message in handler.Answer(context.Request.Body, call, told).WithCancellation(end.Token).ConfigureAwait(false))
            {
                await SendAsync(context, message, end.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            call.Ended();
        }
    }

    private static async Task SendAsync(HttpContext context, byte[] message, CancellationToken end)
    {
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(end);
        if (message.Length > LargeMessage)
        {
            late.CancelAfter(LongestTaking);
        }

        try
        {
            await context.Response.Body.WriteAsync(message, late.Token).ConfigureAwait(false);
            await context.Response.Body.FlushAsync(late.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!end.IsCancellationRequested)
        {
            // Kestrel keeps what was not taken as long as the stream is there.
            context.Abort();
            throw new IOException($"{message.Length} bytes were not taken within {LongestTaking.TotalSeconds:0} s.");
        }
    }

    /// <summary>Finds who calls. By TCP a token is asked for, also from this machine.</summary>
    private Caller FindCaller(HttpContext context, string path)
    {
        try
        {
            return Address is null ? _access().Find(context) : _access().FindByToken(context);
        }
        catch (AccessException error)
        {
            string from = Address is null ? "" : $" (from {context.Connection.RemoteIpAddress})";
            _refusals.Write(LogEvents.ControlRefused, $"{path}{from}: {error.Message}");
            RpcStatus status = error.Status == AccessException.TooManyAttempts ? RpcStatus.ResourceExhausted : RpcStatus.Unauthenticated;
            _log.Audit.Write(LogEvents.ControlRefused, $"{path}: {error.Message}", caller: $"{context.Connection.RemoteIpAddress}", status: $"{status}");
            throw new RpcException(status, error.Message);
        }
    }

    private void Audit(LogEvent kind, Caller caller, string text, RpcStatus status) =>
        _log.Audit.Write(kind, text, null, caller.Name, caller.Peer?.UserId, caller.Peer?.ProcessId ?? 0, status: $"{status}");

    private static TimeSpan? ReadTimeout(HttpRequest request)
    {
        string text = request.Headers[RpcWire.TimeoutHeader].ToString();
        if (text.Length == 0)
        {
            return null;
        }

        if (!RpcWire.TryParseTimeout(text, out TimeSpan timeout))
        {
            throw new RpcException(RpcStatus.InvalidArgument, $"{RpcWire.TimeoutHeader} is '{text}', and should be up to eight digits and one of H, M, S, m, u, n.");
        }

        // What no timer can hold is no limit.
        return timeout.TotalMilliseconds < int.MaxValue ? timeout : null;
    }

    /// <summary>Says how the call ended: in the trailers, or in the head if nothing was sent.</summary>
    private static void End(HttpResponse response, RpcStatus status, string? text)
    {
        string code = ((int)status).ToString(CultureInfo.InvariantCulture);
        IHeaderDictionary place = response.Headers;
        if (response.HasStarted)
        {
            place = response.HttpContext.Features.Get<IHttpResponseTrailersFeature>()!.Trailers;
        }

        place[RpcWire.StatusHeader] = code;
        if (text is not null)
        {
            place[RpcWire.MessageHeader] = RpcWire.EncodeText(text);
        }
    }
}
