namespace CuFrames.Daemon.Internal;

/// <summary>Result of a health check.</summary>
/// <param name="Healthy">Whether the daemon does what the configuration asks for. A camera that is lost does not count against it.</param>
/// <param name="Text">The result in one line, for people.</param>
/// <param name="Cameras">The cameras that are enabled, in the configuration's order.</param>
internal sealed record HealthReport(bool Healthy, string Text, IReadOnlyList<HealthCamera> Cameras);
