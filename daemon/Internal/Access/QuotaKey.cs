using System.Globalization;
using CuFrames.Client;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>The keys that quotas may have.</summary>
internal static class QuotaKey
{
    internal const string Readers = "readers";
    internal const string Leases = "leases";
    internal const string Streams = "streams";
    internal const string Users = "users";

    /// <summary>Value of a quota that does not limit.</summary>
    internal const string None = "none";

    private const int Most = 1_000_000;
    private const string Number = "none, or a whole number from 0 to 1000000";

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Readers, None, Number, ParseNumber),
        new(Leases, None, Number, ParseNumber),
        new(Streams, None, Number, ParseNumber),
        new(Users, "-", "a mapping of users, by name or id, to quotas, such as {frigate: {readers: 40}}", value => value),
    ];

    private static IReadOnlyList<ConfigurationKey> OfUser { get; } = [.. All.Take(3)];

    /// <summary>Reads quotas; what is wrong is reported.</summary>
    /// <param name="value">Where they stand.</param>
    internal static QuotaConfiguration Read(ConfigurationValue value)
    {
        ConfigurationSettings settings = ConfigurationSettings.Read(value, All);
        ReaderQuota others = Of(settings, new ReaderQuota(), value.Place);
        Dictionary<uint, ReaderQuota> users = [];
        if (settings.TryGet(Users, out ConfigurationValue? mapping))
        {
            mapping!.Keys(null, (name, user) =>
            {
                List<uint> ids = [];
                if (!CameraKey.ParseAccount(user with { Node = user.Key }, isGroup: false, ids))
                {
                    return false;
                }

                ReaderQuota quota = Of(ConfigurationSettings.Read(user, OfUser), others, user.Place);
                if (users.TryAdd(ids[0], quota))
                {
                    return true;
                }

                user.ReportKey($"user {ids[0]} stands here a second time", "each user once");
                return false;
            });
        }

        return new QuotaConfiguration(others, users);
    }

    /// <summary>What holds, as YAML.</summary>
    internal static string Describe(QuotaConfiguration quotas)
    {
        string users = string.Join(", ", quotas.Users.OrderBy(user => user.Key).Select(user => $"{user.Key}: {{{Describe(user.Value)}}}"));
        return $"{{{Describe(quotas.Others)}{(users.Length == 0 ? "" : $", {Users}: {{{users}}}")}}}";
    }

    private static string Describe(ReaderQuota quota) => $"{Readers}: {Text(quota.Readers)}, {Leases}: {Text(quota.Leases)}, {Streams}: {Text(quota.Streams)}";

    private static string Text(int? limit) => limit?.ToString(CultureInfo.InvariantCulture) ?? None;

    private static ReaderQuota Of(ConfigurationSettings settings, ReaderQuota otherwise, string place) => new()
    {
        Readers = settings.TryGet(Readers, out object? readers) ? readers as int? : otherwise.Readers,
        Leases = settings.TryGet(Leases, out object? leases) ? leases as int? : otherwise.Leases,
        Streams = settings.TryGet(Streams, out object? streams) ? streams as int? : otherwise.Streams,
        Place = place,
    };

    private static object? ParseNumber(ConfigurationValue value) => value.IsText(None) ? None : value.Integer(0, Most);
}
