namespace CuFrames.Daemon.Internal.Access;

/// <summary>A token as configured, with its file read. Immutable. The token itself is not kept, only its hash.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="File">The file that it was read from.</param>
/// <param name="Hash">SHA-256 of the token's bytes.</param>
/// <param name="May">What whoever sends it may do.</param>
/// <param name="Cameras">Keys of the cameras whose pictures it may read; null: all.</param>
internal sealed record AccessToken(string Name, string File, byte[] Hash, Permission May, IReadOnlyList<string>? Cameras);
