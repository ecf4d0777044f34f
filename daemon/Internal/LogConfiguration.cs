namespace CuFrames.Daemon.Internal;

/// <summary>The key <c>log</c> of the configuration. Immutable; equal by value.</summary>
/// <param name="Level">Lines of less weight are not written.</param>
/// <param name="Format">How lines are written.</param>
internal sealed record LogConfiguration(LogLevel Level, LogFormat Format)
{
    /// <summary>What holds where the key is missing.</summary>
    internal static LogConfiguration Default { get; } = new(LogLevel.Information, LogFormat.Text);
}
