using System.Text;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CuFrames.Cli.Internal;

/// <summary>A table that is drawn with lines and wraps in a terminal, and is plain aligned text, never cut, anywhere else.</summary>
internal sealed class TextTable
{
    private readonly (string Name, bool IsNumber)[] _columns;
    private readonly List<string[]> _rows = [];

    /// <summary>Makes a table.</summary>
    /// <param name="columns">Headings; one that begins with <c>#</c> has numbers, aligned to the right.</param>
    public TextTable(params string[] columns) =>
        _columns = [.. columns.Select(name => (name.TrimStart('#'), name.StartsWith('#')))];

    public void Add(params string[] cells) => _rows.Add(cells);

    /// <summary>Writes the table to standard output.</summary>
    public void Write()
    {
        if (Console.IsOutputRedirected)
        {
            Console.Out.Write(ToText());
        }
        else
        {
            AnsiConsole.Write(ToRenderable());
        }
    }

    public IRenderable ToRenderable()
    {
        Table table = new Table().Border(TableBorder.Rounded).BorderColor(Color.Grey);
        int[] used = [.. UsedColumns()];
        foreach (int column in used)
        {
            TableColumn heading = new TableColumn(new Text(_columns[column].Name, new Style(decoration: Decoration.Bold))).Padding(1, 0);
            table.AddColumn(_columns[column].IsNumber ? heading.RightAligned().NoWrap() : heading);
        }

        foreach (string[] row in _rows)
        {
            table.AddRow(used.Select(column => new Text(row[column], StyleOf(row[column]))));
        }

        return table;
    }

    private static Style StyleOf(string cell) => cell switch
    {
        "live" or "ok" => new Style(Color.Green),
        "source lost" or "starting" or "warn" or "waiting" => new Style(Color.Yellow),
        "unavailable" or "fail" or "ended" => new Style(Color.Red),
        _ => Style.Plain,
    };

    public string ToText()
    {
        int[] used = [.. UsedColumns()];
        int[] widths = [.. used.Select(column => _rows.Select(row => row[column].Length).Append(_columns[column].Name.Length).Max())];
        StringBuilder text = new();
        foreach (string[] row in _rows.Prepend([.. _columns.Select(column => column.Name)]))
        {
            StringBuilder line = new();
            for (int i = 0; i < used.Length; i++)
            {
                string cell = row[used[i]];
                line.Append(_columns[used[i]].IsNumber ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i])).Append("  ");
            }

            text.Append(line.ToString().TrimEnd()).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Columns in which no row has anything are left out.</summary>
    private IEnumerable<int> UsedColumns() =>
        Enumerable.Range(0, _columns.Length).Where(column => _rows.Count == 0 || _rows.Exists(row => row[column].Length > 0));
}
