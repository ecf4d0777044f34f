namespace CuFrames.Daemon.Internal;

/// <summary>A kind of log line. Id and name are stable: people build alarms on them.</summary>
/// <param name="Id">Number; the hundreds group them.</param>
/// <param name="Name">Name.</param>
/// <param name="Level">Weight.</param>
/// <param name="Meaning">What it means, for the documentation.</param>
internal sealed record LogEvent(int Id, string Name, LogLevel Level, string Meaning);
