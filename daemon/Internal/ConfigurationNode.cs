namespace CuFrames.Daemon.Internal;

/// <summary>A value of a YAML text together with where it stands.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Line">Line of its first character, from 1.</param>
/// <param name="Column">Column of its first character, from 1.</param>
/// <param name="Text">The text of a scalar; else empty.</param>
internal sealed record ConfigurationNode(ConfigurationNodeKind Kind, long Line, long Column, string Text)
{
    /// <summary>Items of a list.</summary>
    internal List<ConfigurationNode> Items { get; } = [];

    /// <summary>Keys and values of a mapping, in the file's order.</summary>
    internal List<(ConfigurationNode Key, ConfigurationNode Value)> Pairs { get; } = [];

    /// <summary>Whether another node says the same, wherever it stands.</summary>
    /// <param name="other">The other.</param>
    internal bool SaysTheSameAs(ConfigurationNode other)
    {
        if (Kind != other.Kind || Text != other.Text || Items.Count != other.Items.Count || Pairs.Count != other.Pairs.Count)
        {
            return false;
        }

        return Items.Zip(other.Items).All(both => both.First.SaysTheSameAs(both.Second)) &&
            Pairs.Zip(other.Pairs).All(both => both.First.Key.Text == both.Second.Key.Text && both.First.Value.SaysTheSameAs(both.Second.Value));
    }
}
