using System.Globalization;
using System.Text;

namespace CuFrames.Benchmarks.Report;

/// <summary>Writes summary.md, summary.json and the plots of a results' directory, from the raw data there and from nothing else.</summary>
internal static class Summary
{
    // Above this share of other work the machine is called busy: it shows in every figure of a 2-core machine.
    private const double QuietShare = 0.1;

    /// <returns>Whether each benchmark that has raw data meets all its aims.</returns>
    public static IReadOnlyDictionary<string, bool> Write(string results, IReadOnlyList<IBenchmark> benchmarks)
    {
        StringBuilder sections = new();
        StringBuilder aims = new();
        SortedDictionary<string, object> json = new(StringComparer.Ordinal);
        bool isQuick = false;
        Dictionary<string, bool> verdicts = [];
        foreach (IBenchmark benchmark in benchmarks)
        {
            if (RawData.Read(Path.Combine(results, "raw"), benchmark.Name) is not { } raw)
            {
                continue;
            }

            isQuick |= raw.IsQuick;
            Section section = new(results);
            benchmark.Report(raw, section);
            verdicts[benchmark.Name] = section.Figures.TrueForAll(figure => figure.IsMet != false) && raw.NotMeasured.Count == 0;
            sections.AppendLine(CultureInfo.InvariantCulture, $"## {benchmark.Title}").AppendLine().Append(section.Markdown);
            foreach (string missing in raw.NotMeasured)
            {
                sections.AppendLine(CultureInfo.InvariantCulture, $"Not measured: {missing}").AppendLine();
            }

            if (raw.Conditions is { } conditions)
            {
                string quiet = Math.Max(conditions.BusyBefore, conditions.BusyOthers) > QuietShare ? " **The machine was busy with other work: trust the ratios only.**" : "";
                sections.AppendLine(
                    CultureInfo.InvariantCulture,
                    $"_{conditions.Started:yyyy-MM-dd HH:mm} UTC, {conditions.Seconds:0} s, commit {conditions.Commit}; before it: load {conditions.LoadBefore:0.00}, {conditions.BusyBefore:P0} of the cores busy; meanwhile other processes used {conditions.BusyOthers:P0} and the hypervisor {conditions.Stolen:P1}._{quiet}").AppendLine();
            }

            foreach (Figure figure in section.Figures.Where(figure => figure.Aim is not null))
            {
                aims.AppendLine(
                    CultureInfo.InvariantCulture,
                    $"| {figure.Name} | {(figure.AimIsUpperBound ? "≤" : "≥")} {Figure.Text(figure.Aim!.Value)} {figure.Unit} | {figure.Range} {figure.Unit} | {(figure.Values.Length == 0 ? "not measured" : figure.IsMet == true ? "yes" : "no")} |");
            }

            json[benchmark.Name] = new
            {
                raw.IsQuick,
                raw.Conditions,
                raw.Parameters,
                raw.NotMeasured,
                Figures = section.Figures.Select(figure => new
                {
                    figure.Name,
                    figure.Unit,
                    Min = Finite(figure.Min),
                    Median = Finite(figure.Median),
                    Max = Finite(figure.Max),
                    Repetitions = figure.Values.Length,
                    figure.Aim,
                    AimIs = figure.Aim is null ? null : figure.AimIsUpperBound ? "upper bound" : "lower bound",
                    figure.IsMet,
                }),
            };
        }

        StringBuilder text = new();
        text.AppendLine("# Benchmark results").AppendLine();
        text.AppendLine("Written by `benchmarks/run.sh` from the raw data beside it. Method and limits: docs/benchmarks.md.").AppendLine();
        if (isQuick)
        {
            text.AppendLine("**A quick run: it shows that everything works. Its figures prove nothing.**").AppendLine();
        }

        text.AppendLine("A value is the median of the repetitions, with the least and the greatest in brackets.").AppendLine();
        text.AppendLine("| aim | | measured | met |").AppendLine("|---|---:|---:|---|").Append(aims).AppendLine();
        text.Append(sections).AppendLine("## Machine").AppendLine();
        string machine = Path.Combine(results, "machine.json");
        foreach ((string name, string value) in JsonText.Read<SortedDictionary<string, string>>(machine)!)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"- {name}: {value}");
        }

        File.WriteAllText(Path.Combine(results, "summary.md"), text.ToString());
        JsonText.Write(Path.Combine(results, "summary.json"), json);
        return verdicts;
    }

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
