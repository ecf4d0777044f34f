namespace CuFrames.Daemon.Internal;

/// <summary>Kinds of values that a YAML text has.</summary>
internal enum ConfigurationNodeKind
{
    /// <summary>Nothing: <c>key:</c>, <c>~</c> or <c>null</c>.</summary>
    Nothing,

    /// <summary>A text or a number.</summary>
    Scalar,

    /// <summary>A list.</summary>
    List,

    /// <summary>A mapping of keys to values.</summary>
    Mapping,
}
