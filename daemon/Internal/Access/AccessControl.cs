using System.Security.Cryptography;
using System.Text;
using CuFrames.Interop;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>
/// Who a caller is and what it may do. Immutable: made from a configuration and replaced as a whole when another one is loaded. Any thread.
/// </summary>
/// <remarks>
/// A token that is sent must be right. Without one the kernel's word counts: of Unix sockets SO_PEERCRED, of TCP within this machine the user of the other end's
/// socket (<see cref="LoopbackPeer"/>). Whoever is neither is nobody.
/// </remarks>
/// <param name="configuration">The rules.</param>
/// <param name="own">This daemon.</param>
/// <param name="attempts">Wrong tokens until now. It outlives this object.</param>
internal sealed class AccessControl(AccessConfiguration configuration, PeerCredentials own, FailedAttempts attempts)
{
    private const string Scheme = "Bearer ";

    /// <summary>The rules.</summary>
    internal AccessConfiguration Configuration => configuration;

    /// <summary>The caller at the other end of a Unix socket.</summary>
    /// <param name="peer">The kernel's word.</param>
    internal Caller Of(PeerCredentials peer) => new(peer, own, configuration);

    /// <summary>Finds who sends a request: by the header <c>Authorization: Bearer</c>, else by <paramref name="token"/>, else by the kernel's word.</summary>
    /// <param name="context">The request.</param>
    /// <param name="token">A token from another place of the request, such as a cookie; null: none.</param>
    /// <exception cref="AccessException">Nobody knows who it is, or too many wrong tokens came from there.</exception>
    internal Caller Find(HttpContext context, string? token = null)
    {
        // An empty header is a token too, and a wrong one: what was sent must be right.
        string? header = context.Request.Headers.Authorization is { Count: > 0 } values ? values.ToString() : null;
        if (header is not null)
        {
            token = header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? header[Scheme.Length..].Trim() : "";
        }

        PeerCredentials? peer = PeerOf(context, out string problem);
        return token is not null ? FindToken(token, FailedAttempts.PlaceOf(peer, context.Connection.RemoteIpAddress))
            : peer is not null ? Of(peer)
            : throw new AccessException(
                AccessException.Unauthenticated,
                $"A token is needed (Authorization: Bearer ..., see permissions.tokens in the configuration), because it is not known who asks. {problem}");
    }

    /// <summary>Finds who sends a request where the kernel's word does not count: by the header <c>Authorization: Bearer</c> alone.</summary>
    /// <param name="context">The request.</param>
    /// <exception cref="AccessException">There is no token or a wrong one, or too many wrong ones came from there.</exception>
    internal Caller FindByToken(HttpContext context) => context.Request.Headers.Authorization.Count > 0
        ? Find(context)
        : throw new AccessException(
            AccessException.Unauthenticated,
            "A token is needed here (Authorization: Bearer ...). permissions.tokens of the configuration names the files that hold them.");

    /// <summary>Whether a text is a token of somebody. Takes as long for every text of a length.</summary>
    /// <param name="token">The text.</param>
    internal AccessToken? FindToken(string token)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(token), hash);
        AccessToken? found = null;
        foreach (AccessToken candidate in configuration.Tokens)
        {
            // All of them, always: when it ends says nothing about which.
            if (CryptographicOperations.FixedTimeEquals(candidate.Hash, hash))
            {
                found = candidate;
            }
        }

        return found;
    }

    private Caller FindToken(string token, string place)
    {
        if (!attempts.MayTry(place))
        {
            throw new AccessException(
                AccessException.TooManyAttempts,
                $"Too many wrong tokens came from there, so none is looked at for {FailedAttempts.Pause.TotalSeconds:0} seconds.");
        }

        if (FindToken(token) is { } found)
        {
            return new Caller(found, own, configuration);
        }

        attempts.Add(place);
        throw new AccessException(
            AccessException.Unauthenticated,
            "The token is none of this daemon's. The files that permissions.tokens of the configuration names hold them; SIGHUP reads them again.");
    }

    /// <summary>The kernel's word on a connection, asked for once in its life.</summary>
    private static PeerCredentials? PeerOf(HttpContext context, out string problem)
    {
        problem = "";
        if (context.Features.Get<PeerCredentials>() is { } known)
        {
            return known;
        }

        if (context.Features.Get<IConnectionSocketFeature>()?.Socket is not { } connection)
        {
            problem = "The connection has no address.";
            return null;
        }

        IDictionary<object, object?>? items = context.Features.Get<IConnectionItemsFeature>()?.Items;
        if (items?.TryGetValue(typeof(PeerCredentials), out object? found) == true)
        {
            return (PeerCredentials)found!;
        }

        if (LoopbackPeer.TryIdentify(connection, out PeerCredentials? peer, out problem))
        {
            items?[typeof(PeerCredentials)] = peer;
        }

        return peer;
    }
}
