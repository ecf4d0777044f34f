using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>What a user does who may not read a stream.</summary>
internal static class AccessAdvice
{
    /// <summary>The group whose members may read what the packaged service publishes.</summary>
    private const string Group = "cuframes";

    /// <summary>The advice for streams of which one refused this user; null if none did.</summary>
    public static string? For(IEnumerable<StreamProbe> probes) =>
        probes.FirstOrDefault(probe => probe.Info.ErrorCode == ErrorCode.AccessDenied) is { } refused
            ? For(refused.Info.Key, Environment.UserName, AccountNames.TryFindGroup(Group, out uint id) ? id : null, OwnGroups())
            : null;

    /// <summary>The advice, of what it depends on.</summary>
    /// <param name="key">The stream.</param>
    /// <param name="user">This user.</param>
    /// <param name="group">Id of the group <c>cuframes</c>; null: this machine has none.</param>
    /// <param name="own">Groups of this process.</param>
    internal static string For(string key, string user, uint? group, IReadOnlyList<uint> own) => group switch
    {
        null => $"To read '{key}', become a member of the group that its publisher names, or be listed under the stream's readers.",
        { } id when own.Contains(id) => $"To read '{key}', be listed under 'readers' of its configuration: it does not admit the whole group {Group}.",
        { } => $"To read '{key}': sudo usermod --append --groups {Group} {user}, then log in again.",
    };

    private static uint[] OwnGroups() =>
        [.. File.ReadLines("/proc/self/status")
            .Where(line => line.StartsWith("Gid:", StringComparison.Ordinal) || line.StartsWith("Groups:", StringComparison.Ordinal))
            .SelectMany(line => line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            .Select(uint.Parse)];
}
