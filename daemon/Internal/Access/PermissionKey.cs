using CuFrames.Client;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>The keys that the section <c>permissions</c> may have.</summary>
internal static class PermissionKey
{
    internal const string View = "view";
    internal const string Control = "control";
    internal const string Publish = "publish";
    internal const string Quotas = "quotas";
    internal const string Tokens = "tokens";
    internal const string Audit = "audit";

    /// <summary>Value of what is not wanted.</summary>
    internal const string Off = "off";

    private const string Own = "own";
    private const string Everyone = "everyone";
    private const string Group = "group";
    private const string Accounts = "own, everyone, or {users: [...], groups: [...]} with names or ids";

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(View, Own, Accounts, CameraKey.ParseReaders),
        new(Control, Own, Accounts, CameraKey.ParseReaders),
        new(Publish, Own, "own, everyone, or {group: NAME} with a name or an id", ParsePublish),
        new(Quotas, "-", "a mapping with the keys readers, leases, streams, users, such as {readers: 100}", value => value),
        new(Tokens, "-", "a list of mappings with the keys name, file, may, cameras", value => value),
        new(Audit, Off, "off, or the absolute path of a file", ParseAudit),
    ];

    /// <summary>Reads the section; what is wrong is reported.</summary>
    /// <param name="section">The section.</param>
    /// <param name="path">The configuration file: relative paths begin at its directory, and refusals name it.</param>
    /// <param name="own">This daemon.</param>
    internal static AccessConfiguration Read(ConfigurationValue section, string path, PeerCredentials own)
    {
        ConfigurationSettings settings = ConfigurationSettings.Read(section, All);
        return DefaultOf(path) with
        {
            View = RuleOf(View),
            Control = RuleOf(Control),
            Publish = settings.TryGet(Publish, out PublishAccess? publish) ? publish : null,
            Quotas = settings.TryGet(Quotas, out ConfigurationValue? quotas) ? QuotaKey.Read(quotas!) : QuotaConfiguration.None,
            Tokens = settings.TryGet(Tokens, out ConfigurationValue? tokens) ? TokenKey.Read(tokens!, Path.GetDirectoryName(path)!, own) : [],
            Audit = settings.TryGet(Audit, out string? audit) && audit != Off ? audit : null,
        };

        ReaderAccess RuleOf(string name) => settings.TryGet(name, out ReaderAccess? rule)
            ? rule!
            : DefaultRule(name, path);
    }

    /// <summary>What holds where the section is missing.</summary>
    /// <param name="path">The configuration file.</param>
    internal static AccessConfiguration DefaultOf(string path) => AccessConfiguration.Default with { View = DefaultRule(View, path), Control = DefaultRule(Control, path) };

    /// <summary>What holds, as YAML, without secrets.</summary>
    internal static IEnumerable<string> Describe(AccessConfiguration access)
    {
        yield return $"{View}: {DaemonConfiguration.Describe(access.View)}";
        yield return $"{Control}: {DaemonConfiguration.Describe(access.Control)}";
        if (access.Publish is { } publish)
        {
            yield return $"{Publish}: {Describe(publish)}";
        }

        yield return $"{Quotas}: {QuotaKey.Describe(access.Quotas)}";
        yield return $"{Tokens}: [{string.Join(", ", access.Tokens.Select(TokenKey.Describe))}]";
        yield return $"{Audit}: {(access.Audit is { } file ? DaemonConfiguration.Quote(file) : Off)}";
    }

    private static string Describe(PublishAccess publish) => publish.AllowsEveryone ? Everyone : publish.Group is { } group ? $"{{{Group}: {group}}}" : Own;

    private static ReaderAccess DefaultRule(string name, string path) => ReaderAccess.OwnUserAndGroup with { Place = $"the default of permissions.{name}, which {path} does not set" };

    private static object? ParsePublish(ConfigurationValue value)
    {
        if (value.Node.Kind != ConfigurationNodeKind.Mapping)
        {
            return value.Choice((Own, PublishAccess.Own), (Everyone, PublishAccess.Everyone));
        }

        List<uint> groups = [];
        bool isGood = value.Keys([Group], (_, group) => CameraKey.ParseAccount(group, isGroup: true, groups));
        if (isGood && groups.Count == 0)
        {
            value.Report("no group is named", value.Accepted);
            return null;
        }

        return isGood ? new PublishAccess(false, groups[0]) : null;
    }

    private static string? ParseAudit(ConfigurationValue value) =>
        value.IsText(Off) ? Off : value.Text(text => Path.IsPathFullyQualified(text) ? null : "a relative path");
}
