using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace CuFrames.Daemon.Internal;

/// <summary>
/// Parses the text of a configuration file into nodes. Reads the parser's events itself: only they know where each key and each value stands,
/// and a key that stands twice is not an error that ends the reading.
/// </summary>
internal sealed class ConfigurationText
{
    /// <summary>The schema is four levels deep; this bounds our recursion for any other text.</summary>
    private const int MaxDepth = 32;

    private readonly Parser _parser;
    private readonly Dictionary<string, ConfigurationNode> _anchors = [];

    private readonly bool _allowsAliases;

    private ConfigurationText(string text, bool allowsAliases) => (_parser, _allowsAliases) = (new Parser(new StringReader(text)), allowsAliases);

    /// <summary>Parses a text.</summary>
    /// <param name="content">The file's bytes.</param>
    /// <param name="problems">Where problems are added to.</param>
    /// <param name="allowsAliases">Whether aliases are followed. Not in what strangers send: a short text of aliases of aliases stands for any number of values.</param>
    /// <returns>The top of the text, or null if it is no YAML; an empty text is an empty mapping.</returns>
    internal static ConfigurationNode? Parse(ReadOnlySpan<byte> content, List<ConfigurationProblem> problems, bool allowsAliases = true)
    {
        string text;
        try
        {
            text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(content).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException)
        {
            problems.Add(new ConfigurationProblem(1, 1, "", "the file is not UTF-8 text. Accepted: YAML in UTF-8."));
            return null;
        }

        ConfigurationText reader = new(text, allowsAliases);
        try
        {
            return reader.ReadDocument(problems);
        }
        catch (YamlException error)
        {
            problems.Add(new ConfigurationProblem(Math.Max(1, error.Start.Line), Math.Max(1, error.Start.Column), "", $"this is not YAML: {error.Message}"));
            return null;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // Of some texts, such as "a: [" and a line below it, the parser says nothing better than that it cannot go on.
            Mark place = reader._parser.Current?.End ?? Mark.Empty;
            problems.Add(new ConfigurationProblem(Math.Max(1, place.Line), Math.Max(1, place.Column), "", "this is not YAML: the text cannot be understood from here on."));
            return null;
        }
    }

    private ConfigurationNode? ReadDocument(List<ConfigurationProblem> problems)
    {
        Require<StreamStart>();
        if (_parser.MoveNext() && _parser.Current is StreamEnd)
        {
            return new ConfigurationNode(ConfigurationNodeKind.Mapping, 1, 1, "");
        }

        _parser.MoveNext();
        ConfigurationNode top = ReadNode(0, problems);
        Require<DocumentEnd>();
        if (_parser.MoveNext() && _parser.Current is { } next and not StreamEnd)
        {
            problems.Add(new ConfigurationProblem(next.Start.Line, next.Start.Column, "", "a second document begins here. Accepted: one YAML document."));
        }

        return top;
    }

    /// <summary>Reads the node that the current event begins; the current event is its last one afterwards.</summary>
    private ConfigurationNode ReadNode(int depth, List<ConfigurationProblem> problems)
    {
        ParsingEvent start = _parser.Current!;
        if (depth > MaxDepth)
        {
            throw new YamlException(start.Start, start.End, $"Values are nested more than {MaxDepth} levels deep.");
        }

        ConfigurationNode node;
        switch (start)
        {
            case Scalar scalar:
                bool isNothing = scalar.Style == ScalarStyle.Plain && scalar.Value is "" or "~" or "null";
                node = Make(isNothing ? ConfigurationNodeKind.Nothing : ConfigurationNodeKind.Scalar, start, scalar.Value);
                break;
            case AnchorAlias when !_allowsAliases:
                throw new YamlException(start.Start, start.End, "An alias stands here, and none is followed in this text. Write the value itself.");
            case AnchorAlias alias:
                return _anchors.TryGetValue(alias.Value.Value, out ConfigurationNode? target)
                    ? target
                    : throw new YamlException(start.Start, start.End, $"No anchor '&{alias.Value.Value}' stands before this alias.");
            case SequenceStart:
                node = Make(ConfigurationNodeKind.List, start, "");
                while (_parser.MoveNext() && _parser.Current is not SequenceEnd)
                {
                    node.Items.Add(ReadNode(depth + 1, problems));
                }

                break;
            case MappingStart:
                node = Make(ConfigurationNodeKind.Mapping, start, "");
                ReadPairs(node, depth, problems);
                break;
            default:
                throw new YamlException(start.Start, start.End, "A value is missing here.");
        }

        if (start is NodeEvent { Anchor.IsEmpty: false } anchored)
        {
            _anchors[anchored.Anchor.Value] = node;
        }

        return node;
    }

    private void ReadPairs(ConfigurationNode mapping, int depth, List<ConfigurationProblem> problems)
    {
        while (_parser.MoveNext() && _parser.Current is not MappingEnd)
        {
            ConfigurationNode key = ReadNode(depth + 1, problems);
            _parser.MoveNext();
            ConfigurationNode value = ReadNode(depth + 1, problems);
            if (key.Kind != ConfigurationNodeKind.Scalar)
            {
                problems.Add(new ConfigurationProblem(key.Line, key.Column, "", "a key must be a text."));
            }
            else
            {
                mapping.Pairs.Add((key, value));
            }
        }
    }

    private void Require<T>()
        where T : ParsingEvent
    {
        if (!_parser.MoveNext() || _parser.Current is not T)
        {
            Mark mark = _parser.Current?.Start ?? Mark.Empty;
            throw new YamlException(mark, mark, "The text ends early.");
        }
    }

    private static ConfigurationNode Make(ConfigurationNodeKind kind, ParsingEvent start, string text) =>
        new(kind, start.Start.Line, start.Start.Column, text);
}
