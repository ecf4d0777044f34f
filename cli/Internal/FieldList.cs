using Spectre.Console;

namespace CuFrames.Cli.Internal;

/// <summary>Names and values below each other. In a terminal long values go on under their beginning; anywhere else each has one line.</summary>
internal sealed class FieldList
{
    private readonly List<(string Name, string Value)> _fields = [];

    public void Add(string name, string value) => _fields.Add((name, PlainText.Of(value)));

    /// <summary>Writes the list to standard output.</summary>
    public void Write()
    {
        int width = _fields.Max(field => field.Name.Length);
        if (Console.IsOutputRedirected)
        {
            foreach ((string name, string value) in _fields)
            {
                Console.Out.WriteLine($"{name.PadRight(width)}  {value}");
            }

            return;
        }

        Grid grid = new Grid().AddColumn(new GridColumn().Width(width).NoWrap()).AddColumn();
        foreach ((string name, string value) in _fields)
        {
            grid.AddRow(new Text(name, new Style(decoration: Decoration.Bold)), new Text(value));
        }

        AnsiConsole.Write(grid);
    }
}
