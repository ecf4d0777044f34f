using System.Globalization;
using System.Net;
using CuFrames.Cli.Internal;
using CuFrames.TestKit;

namespace CuFrames.Demo.Internal;

/// <summary>
/// Who else takes part in the camera's one connection: a recorder, a detector on small pictures, and programs that know nothing of CuFrames. Their
/// files stay in artifacts/demo.
/// </summary>
internal sealed class Guests
{
    private const string Rendition = "detector";
    private const int Width = 640;
    private const int Height = 360;
    private const int Rate = 5;

    private readonly string _camera;
    private readonly List<(ChildProcess Process, string File)> _programs = [];
    private ChildProcess? _recorder;

    /// <summary>Chooses the address of HTTP.</summary>
    /// <param name="camera">Key of the camera.</param>
    public Guests(string camera)
    {
        _camera = camera;
        Http = new IPEndPoint(IPAddress.Loopback, Ports.Free());
    }

    /// <summary>Where a browser finds the camera.</summary>
    public IPEndPoint Http { get; }

    /// <summary>What the camera has more in its configuration: a line below it.</summary>
    public static string Renditions => FormattableString.Invariant($"renditions: {{ {Rendition}: {{ size: {Width}x{Height}, fps: {Rate}, format: rgb24 }} }}");

    /// <summary>Starts the programs. They end by themselves, or with the demo.</summary>
    /// <param name="start">Starts a program by a name, its path and its arguments.</param>
    /// <param name="cuframes">The command.</param>
    /// <param name="directory">Where the sockets are.</param>
    /// <param name="folder">Where the files go.</param>
    /// <param name="seconds">How long.</param>
    public void Start(Func<string, string, string[], ChildProcess> start, string cuframes, string directory, string folder, int seconds)
    {
        Directory.CreateDirectory(folder);
        string mark = string.Create(CultureInfo.InvariantCulture, $"{DateTime.Now:yyyyMMdd-HHmmss}-{Environment.ProcessId}");
        string time = string.Create(CultureInfo.InvariantCulture, $"{seconds}");
        string recording = Path.Combine(folder, $"recording-{mark}.mp4");
        _recorder = start("cuframes record", cuframes, ["record", _camera, recording, "--for", time + "s", "--json"]);
        _programs.Add((_recorder, recording));
        string copy = Path.Combine(folder, $"copy-{mark}.ts");
        _programs.Add((start(
            "ffmpeg -c copy", "ffmpeg", ["-nostdin", "-v", "error", "-i", $"unix:{directory}/taps/{_camera}.ts", "-c", "copy", "-t", time, copy]), copy));
        string pictures = Path.Combine(folder, $"{Rendition}-{mark}.framemd5");
        _programs.Add((start(
            "ffmpeg -f rawvideo", "ffmpeg",
            [
                "-nostdin", "-v", "error", "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", FormattableString.Invariant($"{Width}x{Height}"), "-framerate", $"{Rate}",
                "-i", $"unix:{directory}/taps/{_camera}@{Rendition}.rawvideo", "-t", time, "-f", "framemd5", pictures,
            ]), pictures));
    }

    /// <summary>Waits for the ends of all and looks at what they left.</summary>
    /// <param name="timeout">How long each may still take.</param>
    /// <returns>What is not as it must be.</returns>
    public IEnumerable<string> Finish(TimeSpan timeout)
    {
        foreach ((ChildProcess process, string file) in _programs)
        {
            if (!process.Finish(timeout))
            {
                yield return $"{process.Name} did not end as it should. {process.Errors}";
            }
            else if (!File.Exists(file) || new FileInfo(file).Length == 0)
            {
                yield return $"{process.Name} wrote nothing to {file}. {process.Errors}";
            }
        }

        if (_recorder?.LastLine is { } line && JsonLine.Read<RecordReport>(line) is { } report && (report.Written == 0 || report.Written != report.Published))
        {
            yield return $"cuframes record wrote {report.Written} of {report.Published} packets.";
        }
    }

    /// <summary>What they wrote, for people.</summary>
    public string Describe() => string.Join('\n', _programs.Select(program =>
        string.Create(CultureInfo.InvariantCulture, $"  {program.Process.Name,-20} {(File.Exists(program.File) ? new FileInfo(program.File).Length / 1024 : 0),7} KiB in {program.File}")));
}
