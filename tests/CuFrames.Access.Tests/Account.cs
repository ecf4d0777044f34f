using System.Globalization;

namespace CuFrames.Access.Tests;

/// <summary>
/// A user and its groups. These are accounts that every Debian has, chosen for their primary groups: by TCP a user's groups are those of its account.
/// The daemon of the tests runs as user backup with the group games.
/// </summary>
/// <param name="Name">What it is in the tests.</param>
/// <param name="User">User id.</param>
/// <param name="Group">Group id.</param>
/// <param name="Others">Other groups.</param>
internal sealed record Account(string Name, uint User, uint Group, params uint[] Others)
{
    /// <summary>Group games, the daemon's.</summary>
    public const uint OwnGroup = 60;

    /// <summary>User news, whom rules name.</summary>
    public const uint ListedUser = 9;

    /// <summary>Group man, which rules name.</summary>
    public const uint ListedGroup = 12;

    public static Account Root { get; } = new("root", 0, 0);

    /// <summary>User backup. It is in the listed group too, so that it may give files to it.</summary>
    public static Account Own { get; } = new("own user", 34, OwnGroup, ListedGroup);

    /// <summary>User games.</summary>
    public static Account OwnGroupMember { get; } = new("member of own group", 5, OwnGroup);

    /// <summary>User news.</summary>
    public static Account Listed { get; } = new("listed user", ListedUser, 9);

    /// <summary>User man.</summary>
    public static Account ListedGroupMember { get; } = new("member of a listed group", 6, ListedGroup);

    /// <summary>User uucp.</summary>
    public static Account Stranger { get; } = new("stranger", 10, 10);

    public static Account[] All { get; } = [Root, Own, OwnGroupMember, Listed, ListedGroupMember, Stranger];

    /// <summary>Arguments of setpriv.</summary>
    public string[] Arguments =>
    [
        $"--reuid={Number(User)}", $"--regid={Number(Group)}", Others.Length == 0 ? "--clear-groups" : $"--groups={string.Join(',', Others.Select(Number))}", "--",
    ];

    public override string ToString() => Name;

    /// <summary>Whether a rule, as one writes it in the configuration, lets the user in.</summary>
    public bool IsAllowedBy(string rule) => this == Root || this == Own || rule switch
    {
        "own" => this == OwnGroupMember,
        "everyone" => true,
        _ => (this == Listed && rule.Contains("users", StringComparison.Ordinal)) || (this == ListedGroupMember && rule.Contains("groups", StringComparison.Ordinal)),
    };

    private static string Number(uint id) => id.ToString(CultureInfo.InvariantCulture);
}
