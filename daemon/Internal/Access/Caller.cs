using CuFrames.Client;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>Who calls, and what it may do. Immutable; any thread.</summary>
internal sealed class Caller
{
    private readonly PeerCredentials _own;
    private readonly AccessToken? _token;
    private readonly AccessConfiguration _rules;

    /// <summary>A process of this machine.</summary>
    /// <param name="peer">The kernel's word on it.</param>
    /// <param name="own">This daemon.</param>
    /// <param name="rules">Who may do what.</param>
    internal Caller(PeerCredentials peer, PeerCredentials own, AccessConfiguration rules)
    {
        (Peer, _own, _rules) = (peer, own, rules);
        Name = peer.ProcessId == 0 ? $"user {peer.UserId}" : $"user {peer.UserId} (process {peer.ProcessId})";
        bool mayControl = rules.Control.FindObstacle(peer, own) is null;
        bool mayView = mayControl || rules.View.FindObstacle(peer, own) is null;
        Permissions = (mayView ? Permission.View : 0) | (mayControl ? Permission.Control : 0);
    }

    /// <summary>Somebody with a token.</summary>
    /// <param name="token">The token.</param>
    /// <param name="own">This daemon.</param>
    /// <param name="rules">Who may do what.</param>
    internal Caller(AccessToken token, PeerCredentials own, AccessConfiguration rules)
    {
        (_token, _own, _rules) = (token, own, rules);
        Name = $"token {token.Name}";
        Permissions = token.May.HasFlag(Permission.Control) ? token.May | Permission.View : token.May;
    }

    /// <summary>Who it is, for people: "user 1000 (process 77)", "token grafana".</summary>
    internal string Name { get; }

    /// <summary>The kernel's word; null: it is known by a token.</summary>
    internal PeerCredentials? Peer { get; }

    /// <summary>What it may do with the daemon.</summary>
    internal Permission Permissions { get; }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>Whether it may do something with the daemon.</summary>
    /// <param name="needed">What.</param>
    internal bool May(Permission needed) => (Permissions & needed) == needed;

    /// <summary>Requires a permission.</summary>
    /// <param name="needed">It.</param>
    /// <param name="what">What is asked for, as in "may not control this daemon".</param>
    /// <exception cref="AccessException">It lacks the permission: which rule, and how to change it.</exception>
    internal void Require(Permission needed, string what)
    {
        if (FindObstacle(needed, what) is { } obstacle)
        {
            throw new AccessException(AccessException.Forbidden, obstacle);
        }
    }

    /// <summary>Looks for the rule that stands in the way of a permission.</summary>
    /// <param name="needed">The permission.</param>
    /// <param name="what">What is asked for, as in "may not control this daemon".</param>
    /// <returns>Null: it may; else the sentences that say which rule, and how to change it.</returns>
    internal string? FindObstacle(Permission needed, string what)
    {
        if (May(needed))
        {
            return null;
        }

        bool isControl = needed.HasFlag(Permission.Control);
        return _token is { } token
            ? $"Token '{token.Name}' may not {what}: 'may' of permissions.tokens says {(token.May == Permission.None ? "nothing" : "view")}. Change it there to '{(isControl ? "control" : "view")}', and send SIGHUP."
            : (isControl ? _rules.Control : _rules.View).FindObstacle(Peer!, _own, what)!;
    }

    /// <summary>Whether it may read a stream.</summary>
    /// <param name="stream">Key of the stream, or of its camera.</param>
    /// <param name="readers">The stream's rule.</param>
    internal bool MayRead(string stream, ReaderAccess readers) => FindReadObstacle(stream, readers) is null;

    /// <summary>Looks for the rule that keeps it from reading a stream.</summary>
    /// <param name="stream">Key of the stream, or of its camera.</param>
    /// <param name="readers">The stream's rule.</param>
    /// <returns>Null: it may; else the sentences that say which rule, and how to change it.</returns>
    internal string? FindReadObstacle(string stream, ReaderAccess readers)
    {
        if (_token is not { } token)
        {
            return readers.FindObstacle(Peer!, _own);
        }

        // The key of a rendition is its camera's, '@' and a name.
        int at = stream.LastIndexOf('@');
        string camera = at < 0 ? stream : stream[..at];
        return token.Cameras is null || token.Cameras.Contains(stream) || token.Cameras.Contains(camera)
            ? null
            : $"Token '{token.Name}' may not read '{stream}': 'cameras' of permissions.tokens names {(token.Cameras.Count == 0 ? "none" : string.Join(", ", token.Cameras))}. Add the camera there, and send SIGHUP.";
    }
}
