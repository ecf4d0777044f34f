using System.Globalization;
using CuFrames.Cli.Internal;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CuFrames.Demo.Internal;

/// <summary>
/// Where the demo tells its story: standard output, or standard error when standard output is for programs. In a terminal there is a live table,
/// elsewhere a line every few seconds.
/// </summary>
internal sealed class Stage
{
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(5);

    private readonly TextWriter _writer;
    private readonly bool _isTerminal;
    private readonly IAnsiConsole _console;
    private readonly List<string> _news = [];
    private DateTime _nextLine = DateTime.MinValue;
    private LiveDisplayContext? _live;

    public Stage(bool isOutputForPrograms)
    {
        _writer = isOutputForPrograms ? Console.Error : Console.Out;
        _isTerminal = !(isOutputForPrograms ? Console.IsErrorRedirected : Console.IsOutputRedirected);
        _console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(_writer) });
    }

    /// <summary>Says one thing. While the live table is shown it goes below it.</summary>
    public void Say(string text)
    {
        lock (_news)
        {
            if (_live is null)
            {
                _writer.WriteLine(text);
            }
            else
            {
                _news.Add(text);
            }
        }
    }

    /// <summary>Runs something that calls <see cref="Show"/> again and again.</summary>
    public void WithTable(Action action)
    {
        if (!_isTerminal)
        {
            action();
            return;
        }

        try
        {
            _console.Live(new Text("")).Start(context =>
            {
                lock (_news)
                {
                    _live = context;
                }

                action();
            });
        }
        finally
        {
            lock (_news)
            {
                _live = null;
            }
        }
    }

    /// <summary>Shows how things are.</summary>
    public void Show(TimeSpan elapsed, IReadOnlyList<StreamReport> streams, IReadOnlyList<ReaderProcess> readers)
    {
        if (_live is { } live)
        {
            lock (_news)
            {
                live.UpdateTarget(new Rows(
                    (IEnumerable<IRenderable>)[MakeStreamTable(streams).ToRenderable(_console.Profile.Width), MakeReaderTable(readers).ToRenderable(_console.Profile.Width), .. _news.Select(text => new Text(text))]));
            }
        }
        else if (DateTime.UtcNow >= _nextLine)
        {
            _nextLine = DateTime.UtcNow + LineInterval;
            Say(string.Create(CultureInfo.InvariantCulture, $"{elapsed.TotalSeconds,3:0} s  ") +
                string.Join("; ", streams.Select(stream => $"{stream.Key} {stream.State} {Words.Rate(stream.Fps)} fps, {stream.Subscribers} readers")) + "; " +
                string.Join("; ", readers.Select(reader => reader.Report is { } report
                    ? $"{reader.Name} {report.Frames} frames, {report.Missed} missed, {report.Torn} torn"
                    : $"{reader.Name} starting")));
        }
    }

    /// <summary>The last word: the same table as plain text, or once more in the terminal.</summary>
    public void Summarize(IReadOnlyList<StreamReport> streams, IReadOnlyList<ReaderProcess> readers)
    {
        if (!_isTerminal)
        {
            _writer.Write(MakeStreamTable(streams).ToText());
            _writer.Write(MakeReaderTable(readers).ToText());
        }
    }

    private static TextTable MakeStreamTable(IReadOnlyList<StreamReport> streams)
    {
        TextTable table = new("STREAM", "STATE", "FORMAT", "#FPS", "#SLOTS", "#READERS", "#HEAD", "#DROPPED");
        foreach (StreamReport stream in streams)
        {
            table.Add(
                stream.Key, stream.State, $"{stream.Format} {stream.Width}x{stream.Height}", Words.Rate(stream.Fps), $"{stream.Slots}/{stream.MaxSlots}",
                $"{stream.Subscribers}", $"{stream.Head}", $"{stream.Dropped}");
        }

        return table;
    }

    private static TextTable MakeReaderTable(IReadOnlyList<ReaderProcess> readers)
    {
        TextTable table = new("READER", "#FRAMES", "#MISSED", "#TORN", "#P50", "#P99", "WHAT IT DOES");
        foreach (ReaderProcess reader in readers)
        {
            if (reader.Report is { } report)
            {
                table.Add(
                    reader.Name, $"{report.Frames}", $"{report.Missed}", $"{report.Torn}", Words.Microseconds(report.P50), Words.Microseconds(report.P99), reader.What);
            }
        }

        return table;
    }
}
