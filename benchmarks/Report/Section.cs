using System.Text;

namespace CuFrames.Benchmarks.Report;

/// <summary>A benchmark's part of the summary.</summary>
internal sealed class Section(string folder)
{
    private readonly StringBuilder _markdown = new();

    public List<Figure> Figures { get; } = [];

    public string Markdown => _markdown.ToString();

    public Figure Add(Figure figure)
    {
        Figures.Add(figure);
        return figure;
    }

    public void Text(string text) => _markdown.AppendLine(text).AppendLine();

    public void Table(string[] header, IEnumerable<string[]> rows)
    {
        _markdown.AppendLine($"| {string.Join(" | ", header)} |").AppendLine($"|{string.Concat(header.Select((_, i) => i == 0 ? "---|" : "---:|"))}");
        foreach (string[] row in rows)
        {
            _markdown.AppendLine($"| {string.Join(" | ", row)} |");
        }

        _markdown.AppendLine();
    }

    public void Chart(string file, SvgChart chart)
    {
        File.WriteAllText(Path.Combine(folder, file), chart.Render());
        _markdown.AppendLine($"![{chart.Title}]({file})").AppendLine();
    }
}
