namespace CuFrames.Daemon.Internal;

/// <summary>The values that one mapping of the file gives for the keys of a table, each with where it stands.</summary>
internal sealed class ConfigurationSettings
{
    private readonly IReadOnlyList<ConfigurationKey> _keys;
    private readonly Dictionary<string, (object Value, ConfigurationValue Place)> _values = [];
    private readonly HashSet<string> _bad = [];

    private ConfigurationSettings(IReadOnlyList<ConfigurationKey> keys) => _keys = keys;

    /// <summary>Reads a mapping; what is wrong in it is reported.</summary>
    /// <param name="mapping">The mapping.</param>
    /// <param name="keys">The keys that it may have.</param>
    internal static ConfigurationSettings Read(ConfigurationValue mapping, IReadOnlyList<ConfigurationKey> keys)
    {
        ConfigurationSettings settings = new(keys);
        mapping.Keys([.. keys.Select(key => key.Name)], settings.ReadOne);
        return settings;
    }

    /// <summary>Whether the key stands there with a value that was reported.</summary>
    internal bool IsBad(string name) => _bad.Contains(name);

    /// <summary>Whether the key stands there with a good value.</summary>
    internal bool Has(string name) => _values.ContainsKey(name);

    /// <summary>Where the value of a key stands that is there.</summary>
    internal ConfigurationValue PlaceOf(string name) => _values[name].Place;

    /// <summary>The value of a key.</summary>
    internal bool TryGet<T>(string name, [System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out T value)
    {
        bool isThere = _values.TryGetValue(name, out (object Value, ConfigurationValue Place) found);
        value = isThere ? (T)found.Value : default;
        return isThere;
    }

    private bool ReadOne(string name, ConfigurationValue value)
    {
        ConfigurationKey key = _keys.First(candidate => candidate.Name == name);
        value = value with { Accepted = key.Accepted, IsSecret = name is CameraKey.Password or CameraKey.Source };
        object? parsed = key.Parse(value);
        if (parsed is null)
        {
            _bad.Add(name);
            return false;
        }

        _values.Add(name, (parsed, value));
        return true;
    }
}
