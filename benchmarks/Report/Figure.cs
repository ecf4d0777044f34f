namespace CuFrames.Benchmarks.Report;

/// <summary>One figure over its repetitions.</summary>
internal sealed record Figure(string Name, string Unit, double[] Values)
{
    /// <summary>What was aimed at, if anything.</summary>
    public double? Aim { get; init; }

    public bool AimIsUpperBound { get; init; }

    public double Min => Values.Length == 0 ? double.NaN : Values.Min();

    public double Median => Statistics.Median(Values);

    public double Max => Values.Length == 0 ? double.NaN : Values.Max();

    /// <summary>Whether the median meets the aim.</summary>
    public bool? IsMet => Aim is not { } aim ? null : AimIsUpperBound ? Median <= aim : Median >= aim;

    /// <summary>The median, and the least and greatest value if there are several.</summary>
    public string Range => Values.Length == 0 ? "not measured" : Values.Length == 1 || Min == Max ? Text(Median) : $"{Text(Median)} ({Text(Min)}–{Text(Max)})";

    /// <summary>A number with three significant digits, without an exponent.</summary>
    public static string Text(double value)
    {
        if (value == 0 || !double.IsFinite(value))
        {
            return value == 0 ? "0" : "–";
        }

        int digits = Math.Clamp(2 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 6);
        return Math.Abs(value) >= 1000
            ? value.ToString("N0", System.Globalization.CultureInfo.InvariantCulture)
            : Math.Round(value, digits).ToString($"0.{new string('#', digits)}", System.Globalization.CultureInfo.InvariantCulture);
    }
}
