using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CuFrames.Daemon.Internal.Access;

namespace CuFrames.Daemon.Internal;

/// <summary>
/// The log: one line per event on a stream, standard error. Any thread may write. A thread of the log's own does the output, so that a full pipe
/// or disk holds nobody up; lines that do not fit are counted, and the count is logged when there is room again.
/// </summary>
internal sealed class Log : IDisposable
{
    private const int MaxWaiting = 1024;

    /// <summary>Peers and cameras have a part in some texts.</summary>
    internal const int MaxText = 2000;

    /// <summary>Lines are read by programs and people, not by a browser.</summary>
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly TimeSpan LastLines = TimeSpan.FromMilliseconds(200);

    private readonly Stream _output;
    private readonly bool _isJournal;
    private readonly BlockingCollection<string> _lines = new(MaxWaiting);
    private readonly Thread _thread;

    /// <summary>Written by any thread, each with Interlocked; taken by the log's thread.</summary>
    private long _lost;

    /// <summary>Written by the log's thread alone, read by any.</summary>
    private long _lostInAll;

    /// <summary>Written by any thread, read by any: a word that orders nothing else.</summary>
    private volatile LogLevel _level;

    /// <summary>As <see cref="_level"/>.</summary>
    private volatile LogFormat _format;

    /// <summary>What was logged, for those who watch.</summary>
    internal EventHistory Events { get; } = new();

    /// <summary>Who did what, complete, in a file; without one until it is named.</summary>
    internal AuditLog Audit { get; }

    /// <summary>Begins to log.</summary>
    /// <param name="output">Where the lines go.</param>
    /// <param name="isJournal">Whether journald reads them: then they carry a priority, and those for people no time.</param>
    /// <param name="configuration">What is written, and how.</param>
    internal Log(Stream output, bool isJournal, LogConfiguration? configuration = null)
    {
        (_level, _format) = ((configuration ?? LogConfiguration.Default).Level, (configuration ?? LogConfiguration.Default).Format);
        _output = output;
        _isJournal = isJournal;
        Audit = new AuditLog((kind, text) => Write(kind, text));
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    /// <summary>Lines of less weight are not written. <see cref="Events"/> has them all the same. Any thread.</summary>
    internal LogLevel Level
    {
        get => _level;
        set => _level = value;
    }

    /// <summary>How lines are written. Any thread.</summary>
    internal LogFormat Format
    {
        get => _format;
        set => _format = value;
    }

    /// <summary>Lines that standard error did not take. Any thread.</summary>
    internal long LostLines => Volatile.Read(ref _lostInAll) + Volatile.Read(ref _lost);

    /// <summary>Logs to standard error.</summary>
    /// <param name="configuration">What is written, and how.</param>
    internal static Log ToStandardError(LogConfiguration configuration) =>
        new(Console.OpenStandardError(), !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("JOURNAL_STREAM")), configuration);

    /// <summary>Logs an event.</summary>
    /// <param name="kind">What.</param>
    /// <param name="text">A sentence without secrets; line feeds and other control characters become spaces.</param>
    /// <param name="camera">The stream that it is about.</param>
    internal void Write(LogEvent kind, string text, string? camera = null)
    {
        text = text.Length > MaxText ? text[..MaxText] + "..." : text;
        Events.Add(kind, text, camera);
        if (kind.Level <= _level && !_lines.TryAdd(LineOf(kind, text, camera)))
        {
            Interlocked.Increment(ref _lost);
        }
    }

    /// <summary>Writes what waits, for a short time at most. Nothing may be written afterwards.</summary>
    public void Dispose()
    {
        Audit.Dispose();
        _lines.CompleteAdding();
        if (_thread.Join(LastLines))
        {
            _lines.Dispose();
        }
    }

    private static char Printable(char c) => char.IsControl(c) ? ' ' : c;

    private string LineOf(LogEvent kind, string text, string? camera)
    {
        StringBuilder line = new(text.Length + 80);
        if (_isJournal)
        {
            line.Append(CultureInfo.InvariantCulture, $"<{(int)kind.Level}>");
        }

        string time = DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        if (_format == LogFormat.Json)
        {
            return line.Append(JsonOf(kind, text, camera, time)).Append('\n').ToString();
        }

        if (!_isJournal)
        {
            line.Append(CultureInfo.InvariantCulture, $"{time} {LogKey.NameOf(kind.Level)} ");
        }

        line.Append(CultureInfo.InvariantCulture, $"[{kind.Id} {kind.Name}] ");
        if (camera is not null)
        {
            line.Append(camera).Append(": ");
        }

        foreach (char c in text.ReplaceLineEndings(" "))
        {
            line.Append(Printable(c));
        }

        return line.Append('\n').ToString();
    }

    private static string JsonOf(LogEvent kind, string text, string? camera, string time)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter json = new(bytes, JsonOptions))
        {
            json.WriteStartObject();
            json.WriteString("time", time);
            json.WriteString("level", LogKey.NameOf(kind.Level));
            json.WriteNumber("id", kind.Id);
            json.WriteString("event", kind.Name);
            if (camera is not null)
            {
                json.WriteString("stream", camera);
            }

            json.WriteString("text", text);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    private void Run()
    {
        foreach (string line in _lines.GetConsumingEnumerable())
        {
            long lost = Interlocked.Exchange(ref _lost, 0);
            if ((lost > 0 && !TryOutput(LineOf(LogEvents.LinesLost, $"{lost} lines of the log were lost, because standard error took none.", null))) || !TryOutput(line))
            {
                Interlocked.Add(ref _lost, lost + 1);
            }
            else
            {
                Volatile.Write(ref _lostInAll, _lostInAll + lost);
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
