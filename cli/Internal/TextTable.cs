using System.Text;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CuFrames.Cli.Internal;

/// <summary>
/// A table. In a terminal it is drawn with lines, leaves out columns from the right until it fits, and has its remarks below it; anywhere else it is
/// plain aligned text with everything in it.
/// </summary>
internal sealed class TextTable
{
    private readonly Column[] _columns;
    private readonly List<string[]> _rows = [];

    /// <summary>Makes a table.</summary>
    /// <param name="columns">
    /// Headings, the most important first. One that begins with <c>#</c> has numbers, aligned to the right; one that begins with <c>~</c> has remarks,
    /// which may be long.
    /// </param>
    public TextTable(params string[] columns) =>
        _columns = [.. columns.Select(name => new Column(name.TrimStart('#', '~'), name.StartsWith('#'), name.StartsWith('~')))];

    /// <summary>Adds a row; what its texts have of control characters is made visible.</summary>
    public void Add(params string[] cells) => _rows.Add([.. cells.Select(PlainText.Of)]);

    /// <summary>Writes the table to standard output.</summary>
    public void Write()
    {
        if (Console.IsOutputRedirected)
        {
            Console.Out.Write(ToText());
        }
        else
        {
            AnsiConsole.Write(ToRenderable(AnsiConsole.Profile.Width));
        }
    }

    /// <summary>The table for a terminal.</summary>
    /// <param name="width">Columns of the terminal.</param>
    public IRenderable ToRenderable(int width)
    {
        List<int> shown = [.. UsedColumns().Where(column => !_columns[column].IsRemark)];
        // A column has a line and a space on each side of it; the last line is one more.
        while (shown.Count > 2 && shown.Sum(column => WidthOf(column) + 3) + 1 > width)
        {
            shown.RemoveAt(shown.Count - 1);
        }

        Table table = new Table().Border(TableBorder.Rounded).BorderColor(Color.Grey);
        foreach (int column in shown)
        {
            TableColumn heading = new TableColumn(new Text(_columns[column].Name, new Style(decoration: Decoration.Bold))).Padding(1, 0);
            heading.NoWrap = column != shown[0];
            table.AddColumn(_columns[column].IsNumber ? heading.RightAligned() : heading);
        }

        foreach (string[] row in _rows)
        {
            table.AddRow(shown.Select(column => new Text(row[column], StyleOf(row[column]))));
        }

        IEnumerable<IRenderable> remarks =
            from row in _rows
            from column in Enumerable.Range(0, _columns.Length)
            where _columns[column].IsRemark && row[column].Length > 0
            select new Text($"{row[0]}: {row[column]}", new Style(Color.Yellow));
        return new Rows(remarks.Prepend(table));
    }

    /// <summary>The table as plain text.</summary>
    public string ToText()
    {
        int[] used = [.. UsedColumns()];
        StringBuilder text = new();
        foreach (string[] row in _rows.Prepend([.. _columns.Select(column => column.Name)]))
        {
            StringBuilder line = new();
            foreach (int column in used)
            {
                int width = WidthOf(column);
                line.Append(_columns[column].IsNumber ? row[column].PadLeft(width) : row[column].PadRight(width)).Append("  ");
            }

            text.Append(line.ToString().TrimEnd()).Append('\n');
        }

        return text.ToString();
    }

    private static Style StyleOf(string cell) => cell switch
    {
        "live" or "idle" or "ok" => new Style(Color.Green),
        "source lost" or "starting" or "warn" or "waiting" => new Style(Color.Yellow),
        "unavailable" or "failed" or "fail" or "ended" => new Style(Color.Red),
        "disabled" => new Style(Color.Grey),
        _ => Style.Plain,
    };

    private int WidthOf(int column) => _rows.Select(row => row[column].Length).Append(_columns[column].Name.Length).Max();

    /// <summary>Columns in which no row has anything are left out.</summary>
    private IEnumerable<int> UsedColumns() =>
        Enumerable.Range(0, _columns.Length).Where(column => _rows.Count == 0 || _rows.Exists(row => row[column].Length > 0));

    private readonly record struct Column(string Name, bool IsNumber, bool IsRemark);
}
