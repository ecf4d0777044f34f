using System.Text;

namespace CuFrames.Benchmarks.Report;

/// <summary>Horizontal bars in groups, from zero, each with its median and a whisker from the least to the greatest value.</summary>
internal sealed class BarChart(string title, string unit) : SvgChart(title)
{
    private const int Left = 230;
    private const int Right = 190;
    private const int BarHeight = 18;

    private readonly List<(string Group, string Series, Figure Figure)> _bars = [];

    public void Add(string group, string series, Figure figure)
    {
        ColourOf(series);
        _bars.Add((group, series, figure));
    }

    public override string Render()
    {
        StringBuilder body = Series.Count > 1 ? Legend(54) : new StringBuilder();
        double y = Series.Count > 1 ? 78 : 54;
        double most = _bars.Where(bar => bar.Figure.Values.Length > 0).Select(bar => bar.Figure.Max).DefaultIfEmpty(1).Max();
        double scale = (Width - Left - Right) / Math.Max(most, 1e-9);
        foreach (IGrouping<string, (string Group, string Series, Figure Figure)> group in _bars.GroupBy(bar => bar.Group))
        {
            double height = group.Count() * (BarHeight + 4);
            body.Append(Label(Left - 12, y + (height / 2) + 2, group.Key, Ink, "end"));
            foreach ((_, string series, Figure figure) in group)
            {
                double middle = y + (BarHeight / 2.0);
                if (figure.Values.Length > 0)
                {
                    body.Append(Text($"""<rect x="{Left}" y="{y:0.#}" width="{Math.Max(figure.Median * scale, 1):0.#}" height="{BarHeight}" rx="2" fill="{ColourOf(series)}"/>"""));
                    body.Append(Text($"""<line x1="{Left + (figure.Min * scale):0.#}" y1="{middle:0.#}" x2="{Left + (figure.Max * scale):0.#}" y2="{middle:0.#}" stroke="{Ink}" stroke-width="1.5"/>"""));
                }

                double end = figure.Values.Length > 0 ? figure.Max * scale : 0;
                body.Append(Label(Left + end + 8, middle + 4.5, figure.Values.Length > 0 ? $"{Figure.Text(figure.Median)} {unit}" : "not measured", Quiet));
                y += BarHeight + 4;
            }

            y += 12;
        }

        body.Append(Text($"""<line x1="{Left}" y1="{(Series.Count > 1 ? 70 : 46)}" x2="{Left}" y2="{y - 8:0.#}" stroke="{Quiet}"/>"""));
        return Document((int)y + 10, body);
    }
}
