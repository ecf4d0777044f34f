using CuFrames.Media;

namespace CuFrames.Daemon.Internal.State;

/// <summary>Hides the secrets of a camera's settings, and puts them back where a changed text still has the mask.</summary>
internal static class SettingsSecrets
{
    private const string Mask = "***";

    /// <summary>The same settings with <c>***</c> in place of each secret.</summary>
    /// <param name="settings">A camera's mapping.</param>
    internal static ConfigurationNode Hide(ConfigurationNode settings)
    {
        if (settings.Kind != ConfigurationNodeKind.Mapping)
        {
            return settings;
        }

        ConfigurationNode hidden = new(settings.Kind, settings.Line, settings.Column, settings.Text);
        foreach ((ConfigurationNode key, ConfigurationNode value) in settings.Pairs)
        {
            hidden.Pairs.Add((key, Hide(key.Text, value)));
        }

        return hidden;
    }

    /// <summary>New settings, in which each source and password that still has the mask is the one of the settings before.</summary>
    /// <param name="settings">The new mapping.</param>
    /// <param name="before">The mapping that it is to replace; null: there is none.</param>
    /// <param name="problems">Where a mask is reported that stands for nothing.</param>
    internal static ConfigurationNode Restore(ConfigurationNode settings, ConfigurationNode? before, List<ConfigurationProblem> problems)
    {
        if (settings.Kind != ConfigurationNodeKind.Mapping)
        {
            return settings;
        }

        ConfigurationNode restored = new(settings.Kind, settings.Line, settings.Column, settings.Text);
        foreach ((ConfigurationNode key, ConfigurationNode value) in settings.Pairs)
        {
            ConfigurationNode held = value;
            if (HasMask(key.Text, value))
            {
                ConfigurationNode? old = before?.Pairs.LastOrDefault(pair => pair.Key.Text == key.Text).Value;
                if (old is not null && Hide(key.Text, old).Text == value.Text)
                {
                    held = value with { Text = old.Text };
                }
                else
                {
                    problems.Add(new ConfigurationProblem(
                        value.Line, value.Column, key.Text, $"{Mask} stands for a secret, and the camera has no such {key.Text} whose secret it could be. Accepted: the secret itself."));
                }
            }

            restored.Pairs.Add((key, held));
        }

        return restored;
    }

    private static bool HasMask(string key, ConfigurationNode value) =>
        value.Kind == ConfigurationNodeKind.Scalar && (key switch
        {
            CameraKey.Password => value.Text == Mask,
            CameraKey.Source => value.Text.Contains("://", StringComparison.Ordinal) && value.Text.Contains(Mask, StringComparison.Ordinal),
            _ => false,
        });

    private static ConfigurationNode Hide(string key, ConfigurationNode value)
    {
        if (value.Kind != ConfigurationNodeKind.Scalar || key is not (CameraKey.Password or CameraKey.Source))
        {
            return value;
        }

        return value with { Text = key == CameraKey.Password ? Mask : HideSource(value.Text) };
    }

    private static string HideSource(string source)
    {
        if (TestPatternOptions.IsPattern(source))
        {
            return source;
        }

        try
        {
            return new RedactedUrl(source).Display;
        }
        catch (MediaException)
        {
            // Not a source at all, and nobody knows what is secret in it.
            return Mask;
        }
    }
}
