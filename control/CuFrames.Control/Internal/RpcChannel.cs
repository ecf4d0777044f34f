using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;

namespace CuFrames.Control.Internal;

/// <summary>
/// Calls over one connection of HTTP/2: unary ones and ones that the server answers with a stream. Safe for any thread. A call does what follows:
/// (1) it sends the whole request, with the time-out for the server; (2) reads the answer's head: an error without a message is all there; (3) reads
/// messages; (4) reads the trailers, which say how it ended. Whatever goes wrong on the way is one <see cref="RpcException"/>.
/// </summary>
internal sealed class RpcChannel : IDisposable
{
    /// <summary>Attempts to connect where the queue is full; with the pause between them a few seconds.</summary>
    private const int MostAttempts = 200;

    private static readonly TimeSpan NextAttempt = TimeSpan.FromMilliseconds(20);

    /// <summary>Time without a byte after which a daemon on another machine is asked whether it is there, and time that it has to answer. A machine that vanishes says nothing.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(20);

    private readonly HttpClient _http;
    private readonly string _name;
    private readonly bool _isSocket = true;

    /// <summary>Makes a channel to a Unix socket. Connects with the first call.</summary>
    /// <param name="path">The socket.</param>
    internal RpcChannel(string path)
    {
        _name = path;
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await ConnectAsync(socket, path, cancellation).ConfigureAwait(false);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            EnableMultipleHttp2Connections = true,
        })
        {
            // The name stands for nothing: the socket is the address.
            BaseAddress = new Uri("http://localhost/"),
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Makes a channel by TCP with TLS. Connects with the first call.</summary>
    /// <param name="server">Where, how its certificate is checked, and the token for each call.</param>
    internal RpcChannel(ControlServer server)
    {
        _name = $"{server}";
        _isSocket = false;
        SocketsHttpHandler handler = new()
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = Silence,
            KeepAlivePingTimeout = Silence,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        };
        if (server.Authorities is { } authorities)
        {
            X509ChainPolicy policy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(authorities);
            handler.SslOptions.CertificateChainPolicy = policy;
        }

        _http = new HttpClient(handler)
        {
            BaseAddress = new UriBuilder("https", server.Host, server.Port).Uri,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", server.Token);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>Connects, also where many others do: a socket whose queue is full refuses who does not block (EAGAIN), and says nothing when there is room.</summary>
    private static async Task ConnectAsync(Socket socket, string path, CancellationToken cancellation)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation).ConfigureAwait(false);
                return;
            }
            catch (SocketException error) when (error.SocketErrorCode == SocketError.WouldBlock && attempt < MostAttempts)
            {
                await Task.Delay(NextAttempt, cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Makes a unary call.</summary>
    /// <param name="method">The method.</param>
    /// <param name="request">The request.</param>
    /// <param name="timeout">Until when the answer must be there; null: no limit.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <exception cref="RpcException">It was not done.</exception>
    internal async Task<TResponse> CallAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, TimeSpan? timeout, CancellationToken cancellation)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        TResponse? answer = null;
        await foreach (TResponse message in StreamAsync(method, request, timeout, cancellation).ConfigureAwait(false))
        {
            answer = answer is null ? message : throw new RpcException(RpcStatus.Internal, $"{method.Path} was answered with more than one message.");
        }

        return answer ?? throw new RpcException(RpcStatus.Internal, $"{method.Path} was answered without a message, as if all were well.");
    }

    /// <summary>Makes a call that is answered with any number of messages.</summary>
    /// <inheritdoc cref="CallAsync"/>
    internal async IAsyncEnumerable<TResponse> StreamAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, TimeSpan? timeout, [EnumeratorCancellation] CancellationToken cancellation)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        using CancellationTokenSource late = new(timeout ?? Timeout.InfiniteTimeSpan);
        using CancellationTokenSource ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        using HttpRequestMessage post = new(HttpMethod.Post, method.Path)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(MessageFraming.Frame(request)),
        };
        post.Content.Headers.ContentType = new MediaTypeHeaderValue(RpcWire.ContentType);
        post.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        if (timeout is { } time)
        {
            post.Headers.Add(RpcWire.TimeoutHeader, RpcWire.FormatTimeout(time));
        }

        HttpResponseMessage? response = null;
        Stream body;
        try
        {
            response = await _http.SendAsync(post, HttpCompletionOption.ResponseHeadersRead, ending.Token).ConfigureAwait(false);
            CheckHead(response, method.Path);
            body = await response.Content.ReadAsStreamAsync(ending.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException)
        {
            response?.Dispose();
            throw Explain(error, method.Path, timeout, late, cancellation);
        }
        catch
        {
            response?.Dispose();
            throw;
        }

        // Disposing of an answer that is not at its end cancels the call.
        using (response)
        {
            while (true)
            {
                TResponse? message;
                try
                {
                    message = await MessageFraming.ReadAsync(body, method.Response, ending.Token, method.MaxResponseBytes).ConfigureAwait(false);
                }
                catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException)
                {
                    throw Explain(error, method.Path, timeout, late, cancellation);
                }

                if (message is null)
                {
                    break;
                }

                yield return message;
            }

            CheckStatus(response.TrailingHeaders, response.Headers, method.Path);
        }
    }

    private static void CheckHead(HttpResponseMessage response, string path)
    {
        if (response.Headers.Contains(RpcWire.StatusHeader))
        {
            // The answer has no message, and its head is its trailer.
            CheckStatus(response.Headers, response.Headers, path);
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw new RpcException(RpcWire.OfHttp((int)response.StatusCode), $"{path} was answered with status {(int)response.StatusCode} of HTTP and none of gRPC.");
        }

        if (!RpcWire.IsContentType(response.Content.Headers.ContentType?.ToString()))
        {
            throw new RpcException(RpcStatus.Unknown, $"{path} was answered with '{response.Content.Headers.ContentType}', not with {RpcWire.ContentType}.");
        }
    }

    private static void CheckStatus(HttpResponseHeaders trailers, HttpResponseHeaders head, string path)
    {
        string? text = ValueOf(trailers, RpcWire.StatusHeader) ?? ValueOf(head, RpcWire.StatusHeader);
        if (text is null)
        {
            throw new RpcException(RpcStatus.Unknown, $"The answer to {path} ended without a status.");
        }

        RpcStatus status = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int code) && Enum.IsDefined((RpcStatus)code)
            ? (RpcStatus)code
            : RpcStatus.Unknown;
        if (status != RpcStatus.Ok)
        {
            string? message = ValueOf(trailers, RpcWire.MessageHeader) ?? ValueOf(head, RpcWire.MessageHeader);
            throw new RpcException(status, message is null ? $"{path} ended with status {text}." : RpcWire.DecodeText(message));
        }
    }

    private static string? ValueOf(HttpResponseHeaders headers, string name) => headers.TryGetValues(name, out IEnumerable<string>? values) ? values.FirstOrDefault() : null;

    private RpcException Explain(Exception error, string path, TimeSpan? timeout, CancellationTokenSource late, CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
        {
            return new RpcException(RpcStatus.Cancelled, $"{path} was given up.", error);
        }

        if (late.IsCancellationRequested)
        {
            return new RpcException(RpcStatus.DeadlineExceeded, $"{path} was not answered within {timeout!.Value.TotalSeconds:0.###} s.", error);
        }

        for (Exception? cause = error; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case SocketException { SocketErrorCode: SocketError.AccessDenied }:
                    return new RpcException(RpcStatus.PermissionDenied, $"{_name} may not be opened by this user. Members of the group of cuframesd may; see docs/control.md.", error);
                case AuthenticationException:
                    return new RpcException(
                        RpcStatus.Unavailable, $"The certificate of the daemon at {_name} cannot be trusted: {cause.Message.TrimEnd('.')}. Name the certificate that signed it (--ca, or $CUFRAMES_CA), and the daemon as its certificate does.", error);
                case SocketException socket when !_isSocket:
                    return new RpcException(RpcStatus.Unavailable, $"No daemon answers at {_name}: {socket.Message.TrimEnd('.')}. Does its configuration have 'control: {{tcp: ...}}' with this address?", error);
                case SocketException socket:
                    string found = File.Exists(_name) ? socket.Message : "there is no such socket";
                    return new RpcException(RpcStatus.Unavailable, $"No daemon answers at {_name}: {found}. Is cuframesd running, and is this its runtime directory?", error);
                case HttpProtocolException { ErrorCode: 1 } lost when !_isSocket:
                    // What .NET says of a ping that was not answered.
                    return new RpcException(RpcStatus.Unavailable, $"The daemon at {_name}, or the way to it, is gone: {lost.Message.TrimEnd('.')}.", error);
                case HttpProtocolException protocol:
                    return new RpcException(OfReset(protocol.ErrorCode), $"The daemon at {_name} broke the answer to {path} off ({protocol.Message.TrimEnd('.')}).", error);
            }
        }

        return new RpcException(RpcStatus.Unavailable, $"The connection to {_name} broke off during {path}: {error.Message}", error);
    }

    /// <summary>The status that stands for an error code of HTTP/2 (PROTOCOL-HTTP2.md, "Errors").</summary>
    private static RpcStatus OfReset(long code) => code switch
    {
        7 => RpcStatus.Unavailable, // REFUSED_STREAM
        8 => RpcStatus.Cancelled, // CANCEL
        11 => RpcStatus.ResourceExhausted, // ENHANCE_YOUR_CALM
        12 => RpcStatus.PermissionDenied, // INADEQUATE_SECURITY
        _ => RpcStatus.Internal,
    };
}
