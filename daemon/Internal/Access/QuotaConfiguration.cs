using CuFrames.Client;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>The quotas of the configuration. Immutable.</summary>
/// <param name="Others">Of each user who is not named.</param>
/// <param name="Users">Of those who are, by id.</param>
internal sealed record QuotaConfiguration(ReaderQuota Others, IReadOnlyDictionary<uint, ReaderQuota> Users)
{
    /// <summary>No quotas.</summary>
    internal static QuotaConfiguration None { get; } = new(new ReaderQuota(), new Dictionary<uint, ReaderQuota>());
}
