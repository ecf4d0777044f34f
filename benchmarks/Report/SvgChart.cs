using System.Globalization;
using System.Security;
using System.Text;

namespace CuFrames.Benchmarks.Report;

/// <summary>A plot without any library. One kind of series has one colour in all plots: ours is blue, what we compare with is not.</summary>
internal abstract class SvgChart(string title)
{
    protected const string Ink = "#1f2328";
    protected const string Quiet = "#656d76";
    protected const string Line = "#d8dee4";
    protected const int Width = 860;

    private static readonly string[] Colours = ["#0b62c4", "#b35900", "#5a7d2b", "#7a4fb5"];

    private readonly List<string> _series = [];

    public string Title { get; } = title;

    protected IReadOnlyList<string> Series => _series;

    public abstract string Render();

    protected string ColourOf(string series)
    {
        if (!_series.Contains(series))
        {
            _series.Add(series);
        }

        return Colours[_series.IndexOf(series) % Colours.Length];
    }

    protected string Document(int height, StringBuilder body) =>
        Text($"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {height}" width="{Width}" height="{height}" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13">""") +
        Text($"""<title>{Escape(Title)}</title><rect width="{Width}" height="{height}" fill="#ffffff"/>""") +
        Label(20, 28, Title, Ink, size: 16, isBold: true) + body + "</svg>\n";

    protected StringBuilder Legend(int y)
    {
        StringBuilder legend = new();
        double x = 20;
        foreach (string series in _series)
        {
            legend.Append(Text($"""<rect x="{x:0.#}" y="{y - 10}" width="12" height="12" rx="2" fill="{ColourOf(series)}"/>"""));
            legend.Append(Label(x + 18, y, series, Ink));
            x += 42 + (series.Length * 7.4);
        }

        return legend;
    }

    protected static string Label(double x, double y, string text, string colour, string anchor = "start", int size = 13, bool isBold = false) => Text(
        $"""<text x="{x:0.#}" y="{y:0.#}" fill="{colour}" text-anchor="{anchor}" font-size="{size}"{(isBold ? " font-weight=\"600\"" : "")}>{Escape(text)}</text>""");

    protected static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture) + "\n";

    protected static string Escape(string text) => SecurityElement.Escape(text);
}
