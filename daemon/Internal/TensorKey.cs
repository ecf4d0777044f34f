using System.Globalization;
using CuFrames.Media;

namespace CuFrames.Daemon.Internal;

/// <summary>The keys that the tensor of a rendition may have.</summary>
internal static class TensorKey
{
    internal const string Scale = "scale";
    internal const string Mean = "mean";
    internal const string Std = "std";

    private const string ThreeNumbers = "three numbers in the order of the format's channels, such as [0.485, 0.456, 0.406]";

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Scale, "0.00392156862745098", "a number other than 0, such as 1 or 0.00392156862745098 (1/255)", value => NumberOf(value, isZeroGood: false)),
        new(Mean, "[0, 0, 0]", ThreeNumbers, value => ChannelsOf(value, isZeroGood: true)),
        new(Std, "[1, 1, 1]", ThreeNumbers + ", none of them 0", value => ChannelsOf(value, isZeroGood: false)),
    ];

    /// <summary>Reads the numbers of a tensor; what is wrong is reported.</summary>
    /// <returns>They, or null.</returns>
    internal static TensorOptions? Read(ConfigurationValue value)
    {
        int before = value.Problems.Count;
        ConfigurationSettings settings = ConfigurationSettings.Read(value, All);
        TensorOptions defaults = TensorOptions.Default;
        return value.Problems.Count > before ? null : new TensorOptions
        {
            Scale = settings.TryGet(Scale, out double scale) ? scale : defaults.Scale,
            Mean = settings.TryGet(Mean, out TensorChannels mean) ? mean : defaults.Mean,
            Std = settings.TryGet(Std, out TensorChannels std) ? std : defaults.Std,
        };
    }

    /// <summary>Numbers as one writes them in the configuration.</summary>
    internal static string TextOf(TensorOptions options) =>
        $"{{{Scale}: {TextOf(options.Scale)}, {Mean}: {TextOf(options.Mean)}, {Std}: {TextOf(options.Std)}}}";

    private static string TextOf(TensorChannels values) => $"[{TextOf(values.First)}, {TextOf(values.Second)}, {TextOf(values.Third)}]";

    private static string TextOf(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static TensorChannels? ChannelsOf(ConfigurationValue value, bool isZeroGood)
    {
        List<double> numbers = [];
        if (value.Node.Kind != ConfigurationNodeKind.List || value.Node.Items.Count != 3)
        {
            value.Report(value.Node.Kind == ConfigurationNodeKind.List ? $"found a list of {value.Node.Items.Count}" : $"found {value.Found}", value.Accepted);
            return null;
        }

        bool isGood = value.Items(item =>
        {
            double? number = NumberOf(item, isZeroGood);
            numbers.Add(number ?? 0);
            return number is not null;
        });
        return isGood ? new TensorChannels(numbers[0], numbers[1], numbers[2]) : null;
    }

    private static double? NumberOf(ConfigurationValue value, bool isZeroGood)
    {
        if (value.Text() is not { } text)
        {
            return null;
        }

        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) && (isZeroGood || number != 0))
        {
            return number;
        }

        value.Report($"found {value.Found}", value.Accepted);
        return null;
    }
}
