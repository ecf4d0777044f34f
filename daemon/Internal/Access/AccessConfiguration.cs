using CuFrames.Client;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>The section <c>permissions</c> of the configuration. Immutable.</summary>
internal sealed record AccessConfiguration
{
    /// <summary>What holds where the section is missing.</summary>
    internal static AccessConfiguration Default { get; } = new();

    /// <summary>Who may see cameras, readers, events, metrics.</summary>
    internal ReaderAccess View { get; init; } = ReaderAccess.OwnUserAndGroup;

    /// <summary>Who may change them.</summary>
    internal ReaderAccess Control { get; init; } = ReaderAccess.OwnUserAndGroup;

    /// <summary>Who may publish in the runtime directory; null: as the directory is, and nobody else where the daemon makes it.</summary>
    internal PublishAccess? Publish { get; init; }

    /// <summary>What one user may have of all streams together.</summary>
    internal QuotaConfiguration Quotas { get; init; } = QuotaConfiguration.None;

    /// <summary>File that the audit is written to; null: none.</summary>
    internal string? Audit { get; init; }

    /// <summary>The tokens.</summary>
    internal IReadOnlyList<AccessToken> Tokens { get; init; } = [];
}
