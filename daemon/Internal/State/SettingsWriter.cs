using System.Globalization;
using System.Text;

namespace CuFrames.Daemon.Internal.State;

/// <summary>Writes nodes as YAML that reads back as the same nodes.</summary>
internal static class SettingsWriter
{
    private const string PlainMarks = "/._-@:*?=&%+";

    /// <summary>Writes a value as a text of its own: of a mapping a line for each key.</summary>
    /// <param name="node">The value.</param>
    internal static string Write(ConfigurationNode node)
    {
        StringBuilder text = new();
        Append(text, node, indent: 0, isAfterKey: false);
        return text.ToString().TrimStart('\n');
    }

    /// <summary>Appends a value that stands after its key and colon, or after the dash of a list, up to the end of its last line.</summary>
    private static void Append(StringBuilder text, ConfigurationNode node, int indent, bool isAfterKey)
    {
        string space = isAfterKey ? " " : "";
        switch (node.Kind)
        {
            case ConfigurationNodeKind.Nothing:
                text.Append(space).Append("null\n");
                break;
            case ConfigurationNodeKind.List when node.Items.Count == 0:
                text.Append(space).Append("[]\n");
                break;
            case ConfigurationNodeKind.Mapping when node.Pairs.Count == 0:
                text.Append(space).Append("{}\n");
                break;
            case ConfigurationNodeKind.List:
                text.Append('\n');
                foreach (ConfigurationNode item in node.Items)
                {
                    text.Append(' ', indent).Append('-');
                    Append(text, item, indent + 2, isAfterKey: true);
                }

                break;
            case ConfigurationNodeKind.Mapping:
                text.Append('\n');
                foreach ((ConfigurationNode key, ConfigurationNode value) in node.Pairs)
                {
                    text.Append(' ', indent).Append(Quote(key.Text)).Append(':');
                    Append(text, value, indent + 2, isAfterKey: true);
                }

                break;
            default:
                text.Append(space).Append(Quote(node.Text)).Append('\n');
                break;
        }
    }

    /// <summary>In double quotes where YAML would read something else into the plain text.</summary>
    private static string Quote(string text)
    {
        bool isPlain = text.Length > 0 && (char.IsAsciiLetterOrDigit(text[0]) || text[0] == '/') && text != "null" && !text.EndsWith(':') &&
            text.All(c => char.IsAsciiLetterOrDigit(c) || PlainMarks.Contains(c, StringComparison.Ordinal));
        if (isPlain)
        {
            return text;
        }

        StringBuilder quoted = new("\"");
        foreach (char c in text)
        {
            if (c is '"' or '\\')
            {
                quoted.Append('\\').Append(c);
            }
            else if (char.IsControl(c) || c is '\u2028' or '\u2029' or '\uFEFF')
            {
                quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
            else
            {
                quoted.Append(c);
            }
        }

        return quoted.Append('"').ToString();
    }
}
