using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>
/// The audit: a file with one JSON object a line for each join, departure, refusal, eviction and call that changes something. Nothing is left out to keep it short,
/// as in the log. Any thread may write; a thread of its own does the output, so that a slow disk holds nobody up. What cannot be written is counted, and the
/// log is told when that begins and when it is over.
/// </summary>
/// <param name="tell">Logs an event.</param>
internal sealed class AuditLog(Action<LogEvent, string> tell) : IDisposable
{
    /// <summary>Lines that wait for the disk.</summary>
    private const int MaxWaiting = 16_384;

    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    private static readonly TimeSpan LastLines = TimeSpan.FromMilliseconds(200);

    /// <summary>After that long another attempt is made to open a file that could not be.</summary>
    private static readonly TimeSpan NextAttempt = TimeSpan.FromSeconds(2);

    // A line; or null, which makes the thread open the file anew.
    private readonly Channel<ReadOnlyMemory<byte>?> _waiting =
        Channel.CreateBounded<ReadOnlyMemory<byte>?>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true, AllowSynchronousContinuations = false });

    private Thread? _thread;

    /// <summary>Written by the control thread; read by those who write and by the audit's thread.</summary>
    private volatile string? _path;

    /// <summary>Written by any thread, each with Interlocked; taken by the audit's thread.</summary>
    private long _lost;

    // The audit's thread only.
    private FileStream? _file;
    private string? _openPath;
    private long _openedAt;
    private string _trouble = "";

    /// <summary>Names the file, and opens it anew in any case: another program may have moved it away. Control thread.</summary>
    /// <param name="path">The file; null: no audit.</param>
    internal void Open(string? path)
    {
        _path = path;
        if (path is null && _thread is null)
        {
            return;
        }

        _waiting.Writer.TryWrite(null);
        if (_thread is null)
        {
            _thread = new Thread(Run) { IsBackground = true, Name = "audit" };
            _thread.Start();
        }
    }

    /// <summary>Gives each entry to somebody else instead of a file: a worker's to its daemon. Before the first one.</summary>
    internal Action<AuditEntry>? Forward { get; set; }

    /// <summary>Writes a line.</summary>
    /// <param name="kind">What happened.</param>
    /// <param name="text">A sentence without secrets.</param>
    /// <param name="stream">The stream that it is about; null: none.</param>
    /// <param name="caller">Who did it, for people; null: see the user.</param>
    /// <param name="user">The user; null: not known.</param>
    /// <param name="process">The process; 0: not known.</param>
    /// <param name="program">What it calls itself; null: it did not say.</param>
    /// <param name="reader">The reader's number; 0: none.</param>
    /// <param name="status">The name of the error; null: there was none.</param>
    internal void Write(
        LogEvent kind,
        string text,
        string? stream = null,
        string? caller = null,
        uint? user = null,
        int process = 0,
        string? program = null,
        ulong reader = 0,
        string? status = null)
    {
        if (_path is not null || Forward is not null)
        {
            Write(kind, new AuditEntry(kind.Id, text, stream, caller, user, process, program, reader, status));
        }
    }

    /// <summary>Writes a line.</summary>
    /// <param name="kind">What happened: the entry's id is not looked at.</param>
    /// <param name="entry">What the line says.</param>
    internal void Write(LogEvent kind, AuditEntry entry)
    {
        if (Forward is { } forward)
        {
            forward(entry);
        }
        else if (_path is not null && !_waiting.Writer.TryWrite(Format(kind, entry)))
        {
            Interlocked.Increment(ref _lost);
        }
    }

    /// <summary>Writes what waits, for a short time at most. What comes afterwards is dropped.</summary>
    public void Dispose()
    {
        _waiting.Writer.TryComplete();
        if (_thread?.Join(LastLines) != false)
        {
            _file?.Dispose();
        }
    }

    private static ReadOnlyMemory<byte> Format(LogEvent kind, AuditEntry entry)
    {
        ArrayBufferWriter<byte> line = new(512);
        using (Utf8JsonWriter json = new(line))
        {
            json.WriteStartObject();
            json.WriteString("time", DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteNumber("id", kind.Id);
            json.WriteString("event", kind.Name);
            WriteText("stream", entry.Stream);
            WriteText("caller", entry.Caller);
            if (entry.User is { } user)
            {
                json.WriteNumber("user", user);
            }

            if (entry.Process != 0)
            {
                json.WriteNumber("process", entry.Process);
            }

            WriteText("program", entry.Program);
            if (entry.Reader != 0)
            {
                json.WriteNumber("reader", entry.Reader);
            }

            WriteText("status", entry.Status);
            WriteText("text", entry.Text.Length > Log.MaxText ? entry.Text[..Log.MaxText] + "..." : entry.Text);
            json.WriteEndObject();

            void WriteText(string name, string? value)
            {
                if (value is not null)
                {
                    json.WriteString(name, value);
                }
            }
        }

        line.Write("\n"u8);
        return line.WrittenMemory;
    }

    private void Run()
    {
        // A thread of its own: it may wait.
        while (_waiting.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_waiting.Reader.TryRead(out ReadOnlyMemory<byte>? line))
            {
                string? path = _path;
                bool isDue = _file is null && path is not null && Environment.TickCount64 - _openedAt >= NextAttempt.TotalMilliseconds;
                if (line is null || path != _openPath || isDue)
                {
                    Reopen(path);
                }

                if (line is { } content && path is not null && !TryOutput(content))
                {
                    Interlocked.Increment(ref _lost);
                }
            }
        }
    }

    private void Reopen(string? path)
    {
        _file?.Dispose();
        (_file, _openPath, _openedAt) = (null, path, Environment.TickCount64);
        if (path is null)
        {
            return;
        }

        try
        {
            _file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.Append,
                Access = FileAccess.Write,
                Share = FileShare.ReadWrite | FileShare.Delete,
                BufferSize = 0,
                UnixCreateMode = Mode,
            });
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Report($"The audit file {path} cannot be opened: {error.Message.TrimEnd('.')}.");
        }
    }

    private bool TryOutput(ReadOnlyMemory<byte> content)
    {
        if (_file is not { } file)
        {
            return false;
        }

        long before = -1;
        try
        {
            before = file.CanSeek ? file.Length : -1;
            long lost = Interlocked.Read(ref _lost);
            if (lost > 0)
            {
                file.Write(Format(LogEvents.AuditRestored, new AuditEntry(0, $"{lost} lines were lost before this one.")).Span);
                before = file.CanSeek ? file.Length : -1;
                Interlocked.Add(ref _lost, -lost);
            }

            file.Write(content.Span);
            if (lost > 0 || _trouble.Length > 0)
            {
                _trouble = "";
                tell(LogEvents.AuditRestored, $"The audit file {file.Name} is written again; {lost} lines were lost.");
            }

            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A part of a line must not stay: the next one would be joined to it.
            CutBack(file, before);
            Report($"The audit file {file.Name} cannot be written: {error.Message.TrimEnd('.')}.");
            return false;
        }
    }

    private static void CutBack(FileStream file, long length)
    {
        try
        {
            if (length >= 0 && file.Length > length)
            {
                file.SetLength(length);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The trouble itself is reported.
        }
    }

    private void Report(string trouble)
    {
        if (trouble != _trouble)
        {
            _trouble = trouble;
            tell(LogEvents.AuditUnavailable, trouble + " What happens meanwhile is counted. Make room, or name another file under permissions.audit.");
        }
    }
}
