using CuFrames.Interop;

namespace CuFrames.Client;

/// <summary>Who may read a stream, checked with the credentials that the kernel gives for the peer (SO_PEERCRED).</summary>
/// <remarks>The root user and the publisher's own user may always read.</remarks>
public sealed record ReaderAccess
{
    /// <summary>The publisher's user and the members of its primary group: the default.</summary>
    public static ReaderAccess OwnUserAndGroup { get; } = new();

    /// <summary>Every user who can reach the socket.</summary>
    public static ReaderAccess Everyone { get; } = new() { AllowsEveryone = true };

    /// <summary>Whether every user who can reach the socket may read.</summary>
    public bool AllowsEveryone { get; init; }

    /// <summary>Ids of users who may read.</summary>
    public IReadOnlyList<uint> Users { get; init; } = [];

    /// <summary>Ids of groups whose members may read; empty: the publisher's primary group, or none when <see cref="Users"/> names somebody.</summary>
    public IReadOnlyList<uint> Groups { get; init; } = [];

    /// <summary>Where the rule stands, for the text of a refusal: <c>cameras.front.readers in /etc/cuframes/cuframes.yaml</c>. Empty: in the publishing program.</summary>
    public string Place { get; init; } = "";

    /// <summary>Whether both let the same peers in, wherever they stand.</summary>
    /// <param name="other">The other.</param>
    internal bool IsSameAs(ReaderAccess other) =>
        AllowsEveryone == other.AllowsEveryone && Users.SequenceEqual(other.Users) && Groups.SequenceEqual(other.Groups);

    /// <summary>Checks a peer.</summary>
    /// <param name="peer">Who wants to read.</param>
    /// <param name="own">Who publishes.</param>
    /// <param name="what">What it wants, as in "may not read this stream".</param>
    /// <returns>Null when the peer may, else the sentences that say which rule stands in the way and how to change it.</returns>
    internal string? FindObstacle(PeerCredentials peer, PeerCredentials own, string what = "read this stream")
    {
        if (AllowsEveryone || peer.UserId == 0 || peer.UserId == own.UserId || Users.Contains(peer.UserId))
        {
            return null;
        }

        IReadOnlyList<uint> groups = Groups.Count > 0 || Users.Count > 0 ? Groups : [own.GroupId];
        foreach (uint group in groups)
        {
            if (peer.IsInGroup(group))
            {
                return null;
            }
        }

        string process = peer.ProcessId == 0 ? "" : $" (process {peer.ProcessId})";
        return $"User {peer.UserId}{process} may not {what}: allowed are user {own.UserId}" +
            (Users.Count > 0 ? $", users {string.Join(", ", Users)}" : "") +
            (groups.Count > 0 ? $" and members of group {string.Join(", ", groups)}" : "") +
            (Place.Length > 0 ? $", by {Place}" : "") +
            ". Add the user to the group, or list it under " + (Place.Length > 0 ? "that key." : "the stream's readers.");
    }
}
