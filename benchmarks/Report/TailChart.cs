using System.Text;

namespace CuFrames.Benchmarks.Report;

/// <summary>Panels side by side, each with the share of the values that lie above x. Both axes are logarithmic, so that p50, p99 and p99.9 are equally easy to see.</summary>
internal sealed class TailChart(string title, string axis) : SvgChart(title)
{
    private const int Top = 92;
    private const int PlotHeight = 250;
    private const int Left = 66;

    private readonly List<(string Panel, string Series, double[] Sorted)> _lines = [];

    public void Add(string panel, string series, IEnumerable<double> values)
    {
        ColourOf(series);
        _lines.Add((panel, series, [.. values.Order()]));
    }

    public override string Render()
    {
        StringBuilder body = Series.Count > 1 ? Legend(54) : new StringBuilder();
        double[][] filled = [.. _lines.Select(line => line.Sorted).Where(sorted => sorted.Length > 0)];
        if (filled.Length == 0)
        {
            return Document(120, body.Append(Label(20, 90, "nothing was measured", Quiet)));
        }

        double least = Math.Log10(Math.Max(filled.Min(sorted => sorted[0]), 1e-6));
        double most = Math.Max(Math.Log10(filled.Max(sorted => sorted[^1])), least + 0.1);
        double deepest = Math.Ceiling(Math.Log10(filled.Max(sorted => sorted.Length)));
        string[] panels = [.. _lines.Select(line => line.Panel).Distinct()];
        double panelWidth = (Width - Left - 20.0) / panels.Length;
        for (int panel = 0; panel < panels.Length; panel++)
        {
            double left = Left + (panel * panelWidth);
            double width = panelWidth - 22;
            body.Append(Label(left, Top - 12, panels[panel], Ink, isBold: true));
            double X(double value) => left + ((Math.Log10(Math.Max(value, 1e-6)) - least) / (most - least) * width);
            double Y(double share) => Top + (-Math.Log10(share) / deepest * PlotHeight);
            for (int decade = 0; decade <= deepest; decade++)
            {
                double y = Y(Math.Pow(10, -decade));
                body.Append(Text($"""<line x1="{left:0.#}" y1="{y:0.#}" x2="{left + width:0.#}" y2="{y:0.#}" stroke="{Line}"/>"""));
                if (panel == 0)
                {
                    body.Append(Label(left - 8, y + 4, decade == 0 ? "100 %" : $"{Figure.Text(100 * Math.Pow(10, -decade))} %", Quiet, "end", 12));
                }
            }

            foreach (double tick in Ticks(least, most, panels.Length > 1))
            {
                body.Append(Text($"""<line x1="{X(tick):0.#}" y1="{Top}" x2="{X(tick):0.#}" y2="{Top + PlotHeight}" stroke="{Line}"/>"""));
                body.Append(Label(X(tick), Top + PlotHeight + 18, Figure.Text(tick), Quiet, "middle", 12));
            }

            foreach ((_, string series, double[] sorted) in _lines.Where(line => line.Panel == panels[panel] && line.Sorted.Length > 0))
            {
                StringBuilder path = new();
                double lastX = double.NegativeInfinity;
                for (int i = 0; i < sorted.Length; i++)
                {
                    double share = (double)(sorted.Length - i) / sorted.Length;
                    bool isInTail = sorted.Length - i <= 20;
                    if (isInTail || X(sorted[i]) - lastX >= 0.7)
                    {
                        lastX = X(sorted[i]);
                        path.Append(path.Length == 0 ? 'M' : 'L').Append(Text($"{lastX:0.#} {Y(share):0.#}").TrimEnd('\n'));
                    }
                }

                body.Append(Text($"""<path d="{path}" fill="none" stroke="{ColourOf(series)}" stroke-width="2" stroke-linejoin="round"/>"""));
            }
        }

        body.Append(Label(Left, Top + PlotHeight + 42, axis + "; upwards: the share of all that took longer", Quiet));
        return Document(Top + PlotHeight + 60, body);
    }

    private static IEnumerable<double> Ticks(double least, double most, bool isNarrow)
    {
        double[] steps = most - least > (isNarrow ? 1.6 : 3) ? [1] : [1, 2, 5];
        for (double decade = Math.Floor(least); decade <= most; decade++)
        {
            foreach (double step in steps)
            {
                double tick = step * Math.Pow(10, decade);
                if (Math.Log10(tick) >= least - 1e-9 && Math.Log10(tick) <= most + 1e-9)
                {
                    yield return tick;
                }
            }
        }
    }
}
