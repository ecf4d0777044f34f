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

    public static Option<bool> Json(string description) => new("--json") { Description = description };

    /// <summary>A number of seconds above zero, fractions allowed.</summary>
    public static Option<double?> Seconds(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            if (double.TryParse(TextOf(result), CultureInfo.InvariantCulture, out double seconds) && seconds is > 0 and <= LongestSeconds)
            {
                return seconds;
            }

            result.AddError($"{name} needs a number of seconds above 0 and up to {LongestSeconds}, found '{TextOf(result)}'.");
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

    public static Option<string> Delivery()
    {
        Option<string> option = new("--delivery")
        {
            Description = "Which frames to take: newest, in-order or lossless. Default: newest.",
            HelpName = "MODE",
            DefaultValueFactory = _ => "newest",
        };
        option.AcceptOnlyFromAmong("newest", "in-order", "lossless");
        return option;
    }

    public static Delivery DeliveryOf(string name) => name switch
    {
        "in-order" => Protocol.Delivery.InOrder,
        "lossless" => Protocol.Delivery.Lossless,
        _ => Protocol.Delivery.Newest,
    };

    private static string TextOf(ArgumentResult result) => result.Tokens.Count > 0 ? result.Tokens[^1].Value : "";
}
