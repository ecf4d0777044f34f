namespace CuFrames.Daemon.Internal;

/// <summary>A key of the configuration: of these the tables are made that the reader, the error texts and docs/configuration.md follow.</summary>
/// <param name="Name">The key.</param>
/// <param name="Default">What holds without it, as one would write it; <c>-</c>: nothing.</param>
/// <param name="Accepted">The accepted values, for people.</param>
/// <param name="Parse">Gives the value, or null after reporting what is wrong.</param>
internal sealed record ConfigurationKey(string Name, string Default, string Accepted, Func<ConfigurationValue, object?> Parse);
