using System.Text;

namespace CuFrames.Benchmarks.Report;

/// <summary>Lines over time, from zero.</summary>
internal sealed class TimeChart(string title, string unit) : SvgChart(title)
{
    private const int Top = 76;
    private const int PlotHeight = 220;
    private const int Left = 66;
    private const int Steps = 4;

    private readonly List<(string Series, (double Seconds, double Value)[] Points)> _lines = [];

    /// <summary>Adds a line; its points are in the order of time.</summary>
    public void Add(string series, IEnumerable<(double Seconds, double Value)> points)
    {
        ColourOf(series);
        _lines.Add((series, [.. points]));
    }

    public override string Render()
    {
        StringBuilder body = Legend(54);
        (double Seconds, double Value)[] all = [.. _lines.SelectMany(line => line.Points)];
        if (all.Length == 0)
        {
            return Document(120, body.Append(Label(20, 90, "nothing was measured", Quiet)));
        }

        double first = all.Min(point => point.Seconds);
        double span = Math.Max(all.Max(point => point.Seconds) - first, 1);
        double most = Math.Max(all.Max(point => point.Value) * 1.1, 1e-9);
        double X(double seconds) => Left + ((seconds - first) / span * (Width - Left - 30));
        double Y(double value) => Top + PlotHeight - (value / most * PlotHeight);
        for (int step = 0; step <= Steps; step++)
        {
            double value = most * step / Steps;
            body.Append(Text($"""<line x1="{Left}" y1="{Y(value):0.#}" x2="{Width - 30}" y2="{Y(value):0.#}" stroke="{Line}"/>"""));
            body.Append(Label(Left - 8, Y(value) + 4, Figure.Text(value), Quiet, "end", 12));
            double seconds = first + (span * step / Steps);
            body.Append(Label(X(seconds), Top + PlotHeight + 18, $"{Figure.Text((seconds - first) / 60)} min", Quiet, "middle", 12));
        }

        foreach ((string series, (double Seconds, double Value)[] points) in _lines)
        {
            string path = string.Join(' ', points.Select((point, i) => FormattableString.Invariant($"{(i == 0 ? 'M' : 'L')}{X(point.Seconds):0.#} {Y(point.Value):0.#}")));
            body.Append(Text($"""<path d="{path}" fill="none" stroke="{ColourOf(series)}" stroke-width="1.5"/>"""));
        }

        body.Append(Label(Left, Top - 8, unit, Quiet, size: 12));
        return Document(Top + PlotHeight + 34, body);
    }
}
