using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>Arguments and options that several commands have.</summary>
internal static class Options
{
    /// <summary>Ten years: more is a mistake.</summary>
    private const double LongestSeconds = 315_360_000;

    public static Argument<string> Key() => new("KEY") { Description = "The stream's key, for example front or front@small." };

    public static Argument<string> Camera() => new("KEY") { Description = "The camera's key, for example front." };

    public static Option<bool> Json(string description) => new("--json") { Description = description };

    /// <summary>A number of seconds above zero, fractions allowed.</summary>
    /// <param name="name">The option.</param>
    /// <param name="description">What it is for.</param>
    /// <param name="least">The least number; null: whatever is above 0.</param>
    /// <param name="most">The largest number.</param>
    public static Option<double?> Seconds(string name, string description, double? least = null, double most = LongestSeconds) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            if (double.TryParse(TextOf(result), CultureInfo.InvariantCulture, out double seconds) && seconds > 0 && seconds >= (least ?? 0) && seconds <= most)
            {
                return seconds;
            }

            string range = least is { } bottom ? FormattableString.Invariant($"from {bottom}") : "above 0 and up";
            result.AddError(FormattableString.Invariant($"{name} needs a number of seconds {range} to {most}, found '{TextOf(result)}'."));
            return null;
        },
    };

    /// <summary>A length of time with a unit, such as 90s, 10m, 1h or 1d, at least a second; a number alone counts seconds.</summary>
    public static Option<TimeSpan?> Duration(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "TIME",
        CustomParser = result =>
        {
            string text = TextOf(result);
            double unit = text.Length == 0 ? 0 : text[^1] switch
            {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86_400,
                _ => 0,
            };
            if (double.TryParse(unit > 0 ? text[..^1] : text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number))
            {
                double seconds = number * Math.Max(unit, 1);
                if (seconds is >= 1 and <= LongestSeconds)
                {
                    return TimeSpan.FromSeconds(seconds);
                }
            }

            result.AddError($"{name} needs a length of time such as 90s, 10m, 1h or 1d, at least 1s, found '{text}'.");
            return null;
        },
    };

    /// <summary>A whole number within limits.</summary>
    public static Option<int> Number(string name, string description, int standard, int least, int most) => new(name)
    {
        Description = $"{description} Default: {standard}.",
        HelpName = "N",
        DefaultValueFactory = _ => standard,
        CustomParser = result =>
        {
            if (int.TryParse(TextOf(result), CultureInfo.InvariantCulture, out int number) && number >= least && number <= most)
            {
                return number;
            }

            result.AddError($"{name} needs a whole number from {least} to {most}, found '{TextOf(result)}'.");
            return standard;
        },
    };

    /// <summary>A whole number within limits; null if it is not said.</summary>
    public static Option<int?> NumberOrNull(string name, string description, int least, int most) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            if (int.TryParse(TextOf(result), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most)
            {
                return number;
            }

            result.AddError($"{name} needs a whole number from {least} to {most}, found '{TextOf(result)}'.");
            return null;
        },
    };

    public static Option<string> Delivery()
    {
        Option<string> option = new("--delivery")
        {
            Description = "Which frames to take: newest, in-order or lossless. Default: newest.",
            HelpName = "MODE",
            DefaultValueFactory = _ => "newest",
        };
        return OneOf(option, "newest", "in-order", "lossless");
    }

    public static Delivery DeliveryOf(string name) => name switch
    {
        "in-order" => Protocol.Delivery.InOrder,
        "lossless" => Protocol.Delivery.Lossless,
        _ => Protocol.Delivery.Newest,
    };

    /// <summary>Says in words of our own what is accepted, where the parser would write a list over several lines.</summary>
    public static T OneOf<T>(T option, params string[] names)
        where T : Option
    {
        option.CompletionSources.Add(names);
        option.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens.Where(token => !names.Contains(token.Value, StringComparer.Ordinal)))
            {
                result.AddError(NotOne(option.Name, names, token.Value));
            }
        });
        return option;
    }

    /// <inheritdoc cref="OneOf{T}(T, string[])"/>
    public static Argument<string?> OneOf(Argument<string?> argument, params string[] names)
    {
        argument.CompletionSources.Add(names);
        argument.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens.Where(token => !names.Contains(token.Value, StringComparer.Ordinal)))
            {
                result.AddError(NotOne(argument.Name, names, token.Value));
            }
        });
        return argument;
    }

    private static string NotOne(string name, string[] names, string found) => $"{name} is one of {string.Join(", ", names)}, found '{found}'.";

    private static string TextOf(ArgumentResult result) => result.Tokens.Count > 0 ? result.Tokens[^1].Value : "";
}
