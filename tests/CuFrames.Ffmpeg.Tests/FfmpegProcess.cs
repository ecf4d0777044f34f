using System.Diagnostics;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>A running ffmpeg or ffprobe. Killed when disposed.</summary>
internal sealed class FfmpegProcess : IDisposable
{
    /// <summary>No guarantee, only when a test gives up: the machine may be busy.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Process _process;
    private readonly Task<string> _messages;

    private FfmpegProcess(Process process)
    {
        _process = process;
        _messages = process.StandardError.ReadToEndAsync();
    }

    /// <summary>What it writes.</summary>
    public Stream Output => _process.StandardOutput.BaseStream;

    /// <summary>What it reads, if it was started with an input.</summary>
    public Stream Input => _process.StandardInput.BaseStream;

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Starts a program with a runtime directory and libcuframes.</summary>
    /// <param name="program">Its path.</param>
    /// <param name="directory">The runtime directory.</param>
    /// <param name="arguments">Its arguments.</param>
    public static FfmpegProcess Start(string program, string directory, params string[] arguments) => StartWithLibrary(FfmpegBuild.Library, program, directory, arguments);

    /// <summary>Starts a program with more in its environment.</summary>
    public static FfmpegProcess StartWith(IReadOnlyDictionary<string, string?> environment, string program, string directory, params string[] arguments) =>
        Start(FfmpegBuild.Library, environment, program, directory, arguments);

    /// <summary>Starts a program that looks for libcuframes in a folder.</summary>
    public static FfmpegProcess StartWithLibrary(string library, string program, string directory, params string[] arguments) =>
        Start(library, new Dictionary<string, string?>(), program, directory, arguments);

    /// <summary>As <see cref="Start(string, string, string[])"/>; the caller writes its input.</summary>
    public static FfmpegProcess StartWithInput(string program, string directory, params string[] arguments) =>
        StartAny(FfmpegBuild.Library, new Dictionary<string, string?>(), program, directory, arguments);

    private static FfmpegProcess Start(string library, IReadOnlyDictionary<string, string?> environment, string program, string directory, string[] arguments)
    {
        FfmpegProcess process = StartAny(library, environment, program, directory, arguments);
        process._process.StandardInput.Close();
        return process;
    }

    private static FfmpegProcess StartAny(string library, IReadOnlyDictionary<string, string?> environment, string program, string directory, string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["CUFRAMES_DIR"] = directory;
        // A host with a GPU may have its driver in a folder that only this variable names.
        start.Environment["LD_LIBRARY_PATH"] = TestCuda.IsReal ? $"{library}:{Environment.GetEnvironmentVariable("LD_LIBRARY_PATH")}" : library;
        if (!FfmpegBuild.IsArchive)
        {
            // For Python, on the other end.
            start.Environment["PYTHONPATH"] = Path.Combine(Repository.Root, "sdk", "python-bindings");
            start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        }

        start.Environment["CUFRAMES_LIBRARY"] = Path.Combine(library, "libcuframes.so.0");
        foreach ((string name, string? value) in environment)
        {
            start.Environment[name] = value;
        }

        return new FfmpegProcess(Process.Start(start)!);
    }

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Exit status, standard output, messages.</returns>
    public static (int Status, string Output, string Messages) Run(string program, string directory, params string[] arguments)
    {
        using FfmpegProcess process = Start(program, directory, arguments);
        return process.End();
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Exit status, what was left of standard output, messages.</returns>
    public (int Status, string Output, string Messages) End()
    {
        Task<string> output = _process.StandardOutput.ReadToEndAsync();
        if (!_process.WaitForExit(Patience))
        {
            _process.Kill();
            throw new TimeoutException($"It does not end: {_process.StartInfo.FileName} {string.Join(' ', _process.StartInfo.ArgumentList)}\n{_messages.Result}");
        }

        return (_process.ExitCode, output.Result, _messages.Result);
    }

    /// <summary>As kill -9 does.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <summary>Sends SIGTERM.</summary>
    public void Terminate() => Signal(15);

    /// <summary>Sends a signal.</summary>
    public void Signal(int signal)
    {
        using Process kill = Process.Start("kill", [$"-{signal}", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }
}
