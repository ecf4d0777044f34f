namespace CuFrames.Daemon.Internal.State;

/// <summary>A camera that is written down somewhere, whether it runs or not. Immutable.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Origin">Where it is written down.</param>
/// <param name="Settings">Its mapping, as it was written.</param>
/// <param name="Configuration">What the mapping says; null: it does not hold (any more).</param>
/// <param name="Problems">Why it does not hold, a line each. Without secrets.</param>
internal sealed record ConfiguredCamera(
    string Key, CameraOrigin Origin, ConfigurationNode Settings, CameraConfiguration? Configuration, IReadOnlyList<string> Problems)
{
    /// <summary>Why it does not run, if it does not; empty: nothing here forbids it.</summary>
    internal string Obstacle => this switch
    {
        { Configuration: null } => string.Join(" ", Problems),
        { Configuration.Enabled: true } => "",
        { Origin: CameraOrigin.Api } => "disabled in its settings",
        _ => "disabled in the configuration",
    };

    /// <summary>The settings as YAML, without secrets. Made when it is asked for: most are never shown.</summary>
    internal string SettingsText => SettingsWriter.Write(SettingsSecrets.Hide(Settings));
}
