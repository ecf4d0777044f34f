using System.Globalization;
using System.Net;
using System.Text;

namespace CuFrames.Daemon.Internal;

/// <summary>One value of a configuration file while it is read: turns the node into a number, time, list, ..., and reports what does not fit.</summary>
/// <param name="Key">Its key; for an item of a list, the list's.</param>
/// <param name="Node">The value.</param>
/// <param name="KeyPath">Its key, from the top.</param>
/// <param name="Accepted">The accepted values, for people.</param>
/// <param name="IsSecret">Whether its text must not be shown.</param>
/// <param name="Environment">Gives the value of a variable of the environment, or null.</param>
/// <param name="Problems">Where problems are added to.</param>
internal sealed record ConfigurationValue(
    ConfigurationNode Key,
    ConfigurationNode Node,
    string KeyPath,
    string Accepted,
    bool IsSecret,
    Func<string, string?> Environment,
    List<ConfigurationProblem> Problems)
{
    private const int LongestShown = 60;
    private const int FarthestSuggestion = 2;

    private static readonly (string Unit, double Milliseconds)[] TimeUnits = [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];

    private static readonly (string Unit, double Bytes)[] SizeUnits =
        [("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("B", 1)];

    /// <summary>What stands there, for people, without what must not be shown.</summary>
    internal string Found => Node.Kind switch
    {
        ConfigurationNodeKind.Nothing => "nothing",
        ConfigurationNodeKind.List => "a list",
        ConfigurationNodeKind.Mapping => "a mapping",
        _ when IsSecret => "a text that is not shown here",
        // The text as it stands in the file: what a variable holds may be a secret.
        _ => $"'{(Node.Text.Length > LongestShown ? Node.Text[..LongestShown] + "..." : Node.Text)}'",
    };

    /// <summary>The file that it stands in; empty: in none.</summary>
    internal string File { get; init; } = "";

    /// <summary>Where a rule stands, for those who are refused by it.</summary>
    internal string Place => File.Length > 0 ? $"{KeyPath} in {File}" : KeyPath;

    /// <summary>Whether the value is this text.</summary>
    internal bool IsText(string text) => Node.Kind == ConfigurationNodeKind.Scalar && Node.Text == text;

    /// <summary>Reports a problem of the value.</summary>
    /// <param name="found">What was found.</param>
    /// <param name="accepted">What is accepted.</param>
    internal void Report(string found, string accepted) =>
        Problems.Add(new ConfigurationProblem(Node.Line, Node.Column, KeyPath, $"{found}. Accepted: {accepted}."));

    /// <summary>Reports a problem of the key.</summary>
    /// <param name="found">What was found.</param>
    /// <param name="accepted">What is accepted.</param>
    internal void ReportKey(string found, string accepted) => (this with { Node = Key }).Report(found, accepted);

    /// <summary>The value as address and port.</summary>
    /// <returns>The <see cref="IPEndPoint"/>, or null after a report.</returns>
    internal IPEndPoint? Address()
    {
        if (Text() is not { } text)
        {
            return null;
        }

        if (IPEndPoint.TryParse(text, out IPEndPoint? address) && address.Port != 0)
        {
            return address;
        }

        Report($"found {Found}", Accepted);
        return null;
    }

    /// <summary>Reports an address that is none of the loopback: pictures and tokens do not go over a network in plain text.</summary>
    /// <param name="address">The address that the value is.</param>
    /// <returns>Whether it is one.</returns>
    internal bool IsLoopback(IPEndPoint address)
    {
        if (IPAddress.IsLoopback(address.Address))
        {
            return true;
        }

        Report($"found {Found}, which other machines can reach", Accepted);
        return false;
    }

    /// <summary>A text that is not empty, with the variables of the environment filled in.</summary>
    /// <param name="findFault">Says what is wrong with the text, or null.</param>
    internal string? Text(Func<string, string?>? findFault = null)
    {
        if (Node.Kind != ConfigurationNodeKind.Scalar)
        {
            Report($"found {Found}", Accepted);
            return null;
        }

        string? text = Expand();
        if (text is null)
        {
            return null;
        }

        string? fault = text.Length == 0 ? "an empty text" : findFault?.Invoke(text);
        if (fault is not null)
        {
            Report($"found {fault}", Accepted);
            return null;
        }

        return text;
    }

    internal object? Boolean() => Choice(("true", true), ("false", (object)false));

    internal object? Choice(params ReadOnlySpan<(string Name, object Value)> choices)
    {
        string? text = Scalar();
        if (text is null)
        {
            return null;
        }

        List<string> names = [];
        foreach ((string name, object value) in choices)
        {
            if (name == text)
            {
                return value;
            }

            names.Add(name);
        }

        Report($"found {Found}{Suggest(Node.Text, names)}", Accepted);
        return null;
    }

    internal object? Integer(int least, int most)
    {
        string? text = Scalar();
        if (text is null)
        {
            return null;
        }

        if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most)
        {
            return number;
        }

        Report($"found {Found}", Accepted);
        return null;
    }

    internal object? Number(double least, double most)
    {
        string? text = Scalar();
        if (text is null)
        {
            return null;
        }

        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number >= least && number <= most)
        {
            return number;
        }

        Report($"found {Found}", Accepted);
        return null;
    }

    internal object? Time(TimeSpan least, TimeSpan most) =>
        Quantity(TimeUnits, least.TotalMilliseconds, most.TotalMilliseconds) is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : null;

    internal object? Size(long least, long most) => Quantity(SizeUnits, least, most) is { } bytes ? (long)bytes : null;

    /// <summary>Reads every item of a list.</summary>
    /// <param name="read">Reads one, and says whether it is good.</param>
    /// <returns>Whether all are good.</returns>
    internal bool Items(Func<ConfigurationValue, bool> read)
    {
        if (Node.Kind != ConfigurationNodeKind.List)
        {
            Report($"found {Found}", "a list, such as [a, b]");
            return false;
        }

        bool isGood = true;
        for (int i = 0; i < Node.Items.Count; i++)
        {
            isGood &= read(this with { Node = Node.Items[i], KeyPath = $"{KeyPath}[{i}]" });
        }

        return isGood;
    }

    /// <summary>Reads every key of a mapping; keys with other names are reported.</summary>
    /// <param name="names">The names that it may have; null: any.</param>
    /// <param name="read">Reads one, and says whether it is good.</param>
    /// <returns>Whether all are good.</returns>
    internal bool Keys(IReadOnlyList<string>? names, Func<string, ConfigurationValue, bool> read)
    {
        if (Node.Kind == ConfigurationNodeKind.Nothing)
        {
            return true;
        }

        if (Node.Kind != ConfigurationNodeKind.Mapping)
        {
            Report($"found {(Node.Kind == ConfigurationNodeKind.Scalar ? "a text" : Found)}",
                names is null ? Accepted : $"a mapping with the keys {string.Join(", ", names)}");
            return false;
        }

        bool isGood = true;
        Dictionary<string, ConfigurationNode> seen = [];
        foreach ((ConfigurationNode key, ConfigurationNode node) in Node.Pairs)
        {
            ConfigurationValue value = this with { Key = key, Node = node, KeyPath = KeyPath.Length == 0 ? key.Text : $"{KeyPath}.{key.Text}" };
            if (!seen.TryAdd(key.Text, key))
            {
                value.ReportKey($"the key stands here a second time; the first is in line {seen[key.Text].Line}", "each key once");
                isGood = false;
            }
            else if (names is null || names.Contains(key.Text))
            {
                isGood &= read(key.Text, value);
            }
            else
            {
                value.ReportKey($"unknown key '{key.Text}'{Suggest(key.Text, names)}", string.Join(", ", names));
                isGood = false;
            }
        }

        return isGood;
    }

    private static string Suggest(string found, IReadOnlyList<string> names)
    {
        string? best = null;
        int bestDistance = FarthestSuggestion + 1;
        foreach (string name in names)
        {
            int distance = Distance(found.ToLowerInvariant().Replace('-', '_'), name);
            if (distance < bestDistance && distance < name.Length)
            {
                (best, bestDistance) = (name, distance);
            }
        }

        return best is null ? "" : $" (did you mean '{best}'?)";
    }

    /// <summary>Edits, insertions and removals that turn one text into the other (Levenshtein).</summary>
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substituted, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }

    private string? Scalar()
    {
        if (Node.Kind != ConfigurationNodeKind.Scalar)
        {
            Report($"found {Found}", Accepted);
            return null;
        }

        return Expand();
    }

    private double? Quantity(ReadOnlySpan<(string Unit, double Factor)> units, double least, double most)
    {
        string? text = Scalar();
        if (text is null)
        {
            return null;
        }

        foreach ((string unit, double factor) in units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal) &&
                double.TryParse(text.AsSpan(0, text.Length - unit.Length).TrimEnd(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number))
            {
                double quantity = Math.Round(number * factor);
                if (quantity >= least && quantity <= most)
                {
                    return quantity;
                }

                break;
            }
        }

        bool lacksUnit = double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _);
        Report($"found {Found}{(lacksUnit ? ", which has no unit" : "")}", Accepted);
        return null;
    }

    /// <summary>Puts the environment's values in place of <c>${NAME}</c>; <c>$${</c> stands for <c>${</c>.</summary>
    private string? Expand()
    {
        string text = Node.Text;
        StringBuilder result = new(text.Length);
        int position = 0;
        while (text.IndexOf("${", position, StringComparison.Ordinal) is >= 0 and int start)
        {
            if (start > position && text[start - 1] == '$')
            {
                result.Append(text, position, start - 1 - position).Append("${");
                position = start + 2;
                continue;
            }

            int end = text.IndexOf('}', start);
            string name = end < 0 ? "" : text[(start + 2)..end];
            if (name.Length == 0 || char.IsAsciiDigit(name[0]) || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
            {
                Report("found '${' that no variable's name and '}' follow", "${NAME}, or $${ for the two characters themselves");
                return null;
            }

            if (Environment(name) is not { } value)
            {
                Report($"the environment variable {name} is not defined", $"a variable that is defined where cuframesd runs, or $${{{name}}} for the text itself");
                return null;
            }

            result.Append(text, position, start - position).Append(value);
            position = end + 1;
        }

        return result.Append(text, position, text.Length - position).ToString();
    }
}
