using System.Diagnostics;
using CuFrames.Interop;

namespace CuFrames.Conformance.Tests;

/// <summary>A publisher in a process and a directory of its own.</summary>
internal sealed class PublisherProcess : IDisposable
{
    private const int StartMilliseconds = 90_000;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("cuframes-conformance-tests-");
    private readonly Process _process;

    /// <summary>Starts a command and waits for its socket.</summary>
    /// <param name="executable">What to start.</param>
    /// <param name="arguments">Given the path of the socket, the arguments.</param>
    /// <param name="name">Name of the socket that it makes, without its extension.</param>
    public PublisherProcess(string executable, Func<string, IEnumerable<string>> arguments, string name = "conformance")
    {
        SocketPath = Path.Combine(_directory.FullName, name + ".sock");
        var start = new ProcessStartInfo(executable) { RedirectStandardInput = true, UseShellExecute = false };
        foreach (string argument in arguments(SocketPath))
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["CUFRAMES_DIR"] = _directory.FullName;
        _process = Process.Start(start)!;
        var watch = Stopwatch.StartNew();
        while (!Listens())
        {
            if (_process.HasExited || watch.ElapsedMilliseconds > StartMilliseconds)
            {
                string found = _process.HasExited ? $"it ended with {_process.ExitCode}" : "there is none";
                Dispose();
                throw new InvalidOperationException($"{executable} should make a socket: {found}.");
            }

            Thread.Sleep(10); // Nothing announces the socket of another process.
        }
    }

    public string SocketPath { get; }

    /// <summary>Asks the publisher to end, by closing its standard input, and returns its exit code.</summary>
    public int Stop()
    {
        _process.StandardInput.Close();
        return _process.WaitForExit(StartMilliseconds) ? _process.ExitCode : throw new TimeoutException("The publisher does not end.");
    }

    /// <summary>Names of the files that are in the runtime directory.</summary>
    public string[] Files() => [.. _directory.EnumerateFileSystemInfos().Select(file => file.Name)];

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.WaitForExit();
        _process.Dispose();
        _directory.Delete(recursive: true);
    }

    private bool Listens()
    {
        try
        {
            // The path is there a moment before somebody listens.
            using UnixSocket connection = UnixSocket.Connect(SocketPath, 1_000);
            return true;
        }
        catch (LinuxException)
        {
            return false;
        }
    }
}
