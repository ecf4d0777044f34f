namespace CuFrames.Daemon.Internal;

/// <summary>One camera in a health check.</summary>
/// <param name="Key">The camera's key.</param>
/// <param name="Answers">Whether the stream's socket answered the handshake in time.</param>
/// <param name="State">The stream's state: starting, live, source_lost, ended; null: it did not answer.</param>
/// <param name="Text">Why the stream is in its state, or why there is no answer; no secrets.</param>
internal sealed record HealthCamera(string Key, bool Answers, string? State, string Text);
