using CuFrames.TestKit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>A folder for streams, and programs that run on the double of the CUDA driver; what each of them did there is counted.</summary>
internal sealed class CudaMachine : IDisposable
{
    private readonly TemporaryDirectory _folder = new();
    private int _programs;

    public CudaMachine()
    {
        Directory = System.IO.Directory.CreateDirectory(Path.Combine(_folder.Path, "streams")).FullName;
    }

    /// <summary>The runtime directory.</summary>
    public string Directory { get; }

    /// <summary>Folders of libcuframes and the double, for LD_LIBRARY_PATH.</summary>
    public static string Libraries => $"{FfmpegBuild.Library}:{TestCuda.Folder}";

    /// <summary>Starts an ffmpeg.</summary>
    public CudaProgram Ffmpeg(string version, params string[] arguments) => Start([], FfmpegBuild.Ffmpeg(version), arguments);

    /// <summary>Starts an ffmpeg with variables of the double (tests/fakecuda/README.md).</summary>
    public CudaProgram FfmpegWith(IEnumerable<KeyValuePair<string, string>> environment, string version, params string[] arguments) =>
        Start(environment, FfmpegBuild.Ffmpeg(version), arguments);

    /// <summary>Starts any program.</summary>
    public CudaProgram Start(IEnumerable<KeyValuePair<string, string>> environment, string program, params string[] arguments)
    {
        string counts = Path.Combine(_folder.Path, $"counts-{++_programs}.json");
        Dictionary<string, string?> all = new()
        {
            ["LD_LIBRARY_PATH"] = Libraries,
            ["FAKECUDA_COUNTS"] = counts,

            // What legacy handles name, shared with this process.
            ["FAKECUDA_DIR"] = TestCuda.ChildEnvironment["FAKECUDA_DIR"],
        };
        foreach ((string name, string value) in environment)
        {
            all[name] = value;
        }

        return new CudaProgram(FfmpegProcess.StartWith(all, program, Directory, arguments), counts);
    }

    public void Dispose() => _folder.Dispose();
}
