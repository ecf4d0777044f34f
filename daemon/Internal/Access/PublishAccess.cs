namespace CuFrames.Daemon.Internal.Access;

/// <summary>Who may publish streams of his own in the runtime directory: whom its mode and group let write there.</summary>
/// <param name="AllowsEveryone">Every user.</param>
/// <param name="Group">The members of this group; null: of none.</param>
internal sealed record PublishAccess(bool AllowsEveryone, uint? Group)
{
    /// <summary>The daemon's user alone, and root.</summary>
    internal static PublishAccess Own { get; } = new(false, null);

    /// <summary>Every user.</summary>
    internal static PublishAccess Everyone { get; } = new(true, null);

    /// <summary>
    /// The directory's mode. Everybody may look: who may read a stream is decided in the handshake. Where others may write, the sticky bit keeps each user from
    /// removing or replacing what another one made.
    /// </summary>
    internal UnixFileMode Mode =>
        AllowsEveryone ? (UnixFileMode)0b1_111_111_111
        : Group is not null ? (UnixFileMode)0b1_111_111_101
        : (UnixFileMode)0b111_101_101;
}
