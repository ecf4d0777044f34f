using CuFrames.Media;

namespace CuFrames.Daemon.Internal;

/// <summary>What of a camera is decoded, when, and by what. Immutable; equal by value.</summary>
/// <param name="Mode">What decodes.</param>
/// <param name="OnDemand">Whether only while somebody reads.</param>
/// <param name="KeyframesOnly">Whether only key frames.</param>
internal sealed record DecodeConfiguration(DecodeMode Mode, bool OnDemand, bool KeyframesOnly)
{
    private static readonly (string Word, int Group, Func<DecodeConfiguration, DecodeConfiguration> Apply)[] Words =
    [
        ("auto", 0, decode => decode with { Mode = DecodeMode.Auto }),
        ("nvdec", 0, decode => decode with { Mode = DecodeMode.Nvdec }),
        ("software", 0, decode => decode with { Mode = DecodeMode.Software }),
        ("always", 1, decode => decode with { OnDemand = false }),
        ("on-demand", 1, decode => decode with { OnDemand = true }),
        ("all", 2, decode => decode with { KeyframesOnly = false }),
        ("keyframes", 2, decode => decode with { KeyframesOnly = true }),
    ];

    /// <summary>What holds where nothing is said.</summary>
    internal static DecodeConfiguration Default { get; } = new(DecodeMode.Auto, OnDemand: false, KeyframesOnly: false);

    /// <summary>The accepted values, for people.</summary>
    internal const string Accepted = "auto, nvdec, software; always, on-demand; all, keyframes; or a list with one word of some of these groups, such as [nvdec, on-demand]";

    /// <summary>As one writes it in the configuration.</summary>
    public override string ToString()
    {
        List<string> words = [Mode.ToString().ToLowerInvariant()];
        if (OnDemand)
        {
            words.Add("on-demand");
        }

        if (KeyframesOnly)
        {
            words.Add("keyframes");
        }

        return words.Count == 1 ? words[0] : $"[{string.Join(", ", words)}]";
    }

    /// <summary>Reads a word or a list of words; what is wrong is reported.</summary>
    internal static DecodeConfiguration? Read(ConfigurationValue value)
    {
        DecodeConfiguration decode = Default;
        string?[] found = new string?[3];
        bool isGood = value.Node.Kind == ConfigurationNodeKind.List ? value.Items(ReadWord) : ReadWord(value);
        return isGood ? decode : null;

        bool ReadWord(ConfigurationValue item)
        {
            if (item.Choice([.. Words.Select(word => (word.Word, (object)word))]) is not (string word, int group, Func<DecodeConfiguration, DecodeConfiguration> apply))
            {
                return false;
            }

            if (found[group] is { } other)
            {
                item.Report($"'{word}' beside '{other}'", $"one of {string.Join(", ", Words.Where(candidate => candidate.Group == group).Select(candidate => candidate.Word))}");
                return false;
            }

            found[group] = word;
            decode = apply(decode);
            return true;
        }
    }
}
