using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace CuFrames.Daemon.Internal;

/// <summary>
/// The log: one line per event on a stream, standard error. Any thread may write. A thread of the log's own does the output, so that a full pipe
/// or disk holds nobody up; lines that do not fit are counted, and the count is logged when there is room again.
/// </summary>
internal sealed class Log : IDisposable
{
    private const int MaxWaiting = 1024;

    /// <summary>Peers and cameras have a part in some texts.</summary>
    private const int MaxText = 2000;

    private static readonly TimeSpan LastLines = TimeSpan.FromMilliseconds(200);

    private readonly Stream _output;
    private readonly bool _isJournal;
    private readonly BlockingCollection<string> _lines = new(MaxWaiting);
    private readonly Thread _thread;

    /// <summary>Written by any thread, each with Interlocked; taken by the log's thread.</summary>
    private long _lost;

    /// <summary>Begins to log.</summary>
    /// <param name="output">Where the lines go.</param>
    /// <param name="isJournal">Whether journald reads them: then they carry a priority and no time.</param>
    internal Log(Stream output, bool isJournal)
    {
        _output = output;
        _isJournal = isJournal;
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    /// <summary>Logs to standard error.</summary>
    internal static Log ToStandardError() =>
        new(Console.OpenStandardError(), !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("JOURNAL_STREAM")));

    /// <summary>Logs an event.</summary>
    /// <param name="kind">What.</param>
    /// <param name="text">A sentence without secrets; line feeds and other control characters become spaces.</param>
    /// <param name="camera">The stream that it is about.</param>
    internal void Write(LogEvent kind, string text, string? camera = null)
    {
        if (!_lines.TryAdd(Format(kind, text, camera)))
        {
            Interlocked.Increment(ref _lost);
        }
    }

    /// <summary>Writes what waits, for a short time at most. Nothing may be written afterwards.</summary>
    public void Dispose()
    {
        _lines.CompleteAdding();
        if (_thread.Join(LastLines))
        {
            _lines.Dispose();
        }
    }

    private static char Printable(char c) => char.IsControl(c) ? ' ' : c;

    private string Format(LogEvent kind, string text, string? camera)
    {
        StringBuilder line = new(text.Length + 80);
        if (_isJournal)
        {
            line.Append(CultureInfo.InvariantCulture, $"<{(int)kind.Level}>");
        }
        else
        {
            string level = kind.Level switch
            {
                LogLevel.Error => "error",
                LogLevel.Warning => "warning",
                _ => "info",
            };
            line.Append(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {level} ");
        }

        line.Append(CultureInfo.InvariantCulture, $"[{kind.Id} {kind.Name}] ");
        if (camera is not null)
        {
            line.Append(camera).Append(": ");
        }

        foreach (char c in (text.Length > MaxText ? text[..MaxText] + "..." : text).ReplaceLineEndings(" "))
        {
            line.Append(Printable(c));
        }

        return line.Append('\n').ToString();
    }

    private void Run()
    {
        foreach (string line in _lines.GetConsumingEnumerable())
        {
            long lost = Interlocked.Exchange(ref _lost, 0);
            if ((lost > 0 && !TryOutput(Format(LogEvents.LinesLost, $"{lost} lines of the log were lost, because standard error took none.", null))) || !TryOutput(line))
            {
                Interlocked.Add(ref _lost, lost + 1);
            }
        }
    }

    private bool TryOutput(string line)
    {
        try
        {
            _output.Write(Encoding.UTF8.GetBytes(line));
            _output.Flush();
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // There is no other place to say it. The lines are counted, and the count is logged when the disk has room again.
            return false;
        }
    }
}
