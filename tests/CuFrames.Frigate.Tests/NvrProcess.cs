using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using CuFrames.Ffmpeg.Tests;
using CuFrames.TestKit;

namespace CuFrames.Frigate.Tests;

/// <summary>A running frigate.py, with files of its own. Killed at the end if it still runs.</summary>
internal sealed class NvrProcess : IDisposable
{
    /// <summary>No guarantee, only when a test gives up: after its time it ends its processes and looks at the last segments.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly TemporaryDirectory _folder = new();
    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _errors;

    /// <param name="name">How faults name it.</param>
    /// <param name="configuration">In Frigate's format.</param>
    /// <param name="path">Folder with bin/ffmpeg and bin/ffprobe.</param>
    /// <param name="directory">The daemon's runtime directory.</param>
    /// <param name="pictures">For each camera, the pictures to detect on and to be recorded; null: nobody knows them.</param>
    /// <param name="arguments">More arguments of frigate.py.</param>
    public NvrProcess(string name, string configuration, string path, string directory, object? pictures, params string[] arguments)
    {
        Name = name;
        string file = Path.Combine(_folder.Path, "config.yml"), known = Path.Combine(_folder.Path, "pictures.json");
        File.WriteAllText(file, configuration);
        File.WriteAllText(known, JsonSerializer.Serialize(pictures ?? new { }));
        // Debian's own interpreter: python3-yaml belongs to it.
        ProcessStartInfo start = new(
            "/usr/bin/python3",
            [Path.Combine(AppContext.BaseDirectory, "frigate.py"), file, "--path", path, "--tools", "/usr", "--pictures", known, "--gap", NoFrame.ToString(CultureInfo.InvariantCulture), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["CUFRAMES_DIR"] = directory;
        start.Environment["LD_LIBRARY_PATH"] = FfmpegBuild.Library;
        _process = Process.Start(start)!;
        _output = _process.StandardOutput.ReadToEndAsync();
        _errors = _process.StandardError.ReadToEndAsync();
    }

    /// <summary>Frigate's limit, in seconds.</summary>
    public static double NoFrame => 20;

    public string Name { get; }

    /// <summary>What it prints. It ends by itself.</summary>
    public string End()
    {
        if (!_process.WaitForExit(Patience))
        {
            throw new TimeoutException($"frigate.py ({Name}) does not end.");
        }

        return _process.ExitCode == 0 ? _output.Result : throw new InvalidOperationException($"frigate.py ({Name}) ended with {_process.ExitCode}: {_errors.Result}");
    }

    /// <summary>What it reports. It ends by itself.</summary>
    public NvrReport Report() => JsonSerializer.Deserialize<NvrReport>(End(), NvrReport.Json)!;

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.WaitForExit();
        _process.Dispose();
        _folder.Dispose();
    }
}
