using System.Diagnostics;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>
/// A private runtime directory with the lock and the socket of a publisher, and the command under test, which is started
/// whenever it is not running.
/// </summary>
internal sealed class Stage : IDisposable
{
    private const int ConnectMilliseconds = 30_000;

    private readonly IReadOnlyList<string> _command;
    private readonly string _directory;
    private readonly FileLock _lock;
    private readonly UnixSocket _listener;
    private Subject _subject;

    // Written by the thread that handles a signal, read by the one that runs the check.
    private volatile bool _abandoned;

    /// <param name="command">The command under test.</param>
    /// <param name="name">Name of lock and socket: that of frames is the key, that of packets another (14.1).</param>
    public Stage(IReadOnlyList<string> command, string name)
    {
        _command = command;
        _directory = Directory.CreateTempSubdirectory("cuframes-conformance-").FullName;
        string file = Path.Combine(_directory, name + ".lock");
        _lock = FileLock.TryAcquire(file) ?? throw new IOException($"{file} is locked, in a directory that was just made.");
        _listener = UnixSocket.Listen(Path.Combine(_directory, name + ".sock"), 64, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _subject = new Subject(command, _directory);
    }

    public Subject Subject => _subject;

    /// <summary>A time (<see cref="Stopwatch.GetTimestamp"/>) at which who was accepted last had not connected yet, as late as it is known.</summary>
    public long LastAlone { get; private set; } = Stopwatch.GetTimestamp();

    /// <summary>Waits for the command to connect, starting it again if it has ended.</summary>
    public Connection Accept()
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            long now = Stopwatch.GetTimestamp();
            if (_listener.TryAccept(out UnixSocket? socket))
            {
                return new Connection(socket);
            }

            LastAlone = now;

            Expect.That(!_abandoned, "to be left to finish", "a signal");
            if (_subject.HasExited)
            {
                string errors = _subject.Errors;
                Expect.That(watch.ElapsedMilliseconds < ConnectMilliseconds, $"the command to connect within {ConnectMilliseconds} ms",
                    $"that it keeps ending: {errors}");
                _subject.Dispose();
                _subject = new Subject(_command, _directory);
            }

            Expect.That(watch.ElapsedMilliseconds < ConnectMilliseconds, $"the command to connect within {ConnectMilliseconds} ms", "no connection");
            _ = _listener.Poll(IoEvents.Readable, 100);
        }
    }

    /// <summary>Ends the command for good and removes the directory, but leaves alone what a running check uses. Any thread.</summary>
    public void Abandon()
    {
        _abandoned = true;
        _subject.Kill();
        Directory.Delete(_directory, recursive: true);
    }

    public void Dispose()
    {
        _subject.Dispose();
        _listener.Dispose();
        _lock.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
