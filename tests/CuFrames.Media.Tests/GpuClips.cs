using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace CuFrames.Media.Tests;

/// <summary>The clips of the tests that need a GPU: beside the published program, else made once by make-gpu-clips.sh.</summary>
internal static class GpuClips
{
    private static readonly Lazy<string> Folder = new(Find);

    public static string PathOf(string name)
    {
        string path = Path.Combine(Folder.Value, name);
        return File.Exists(path) ? path : throw new FileNotFoundException($"There is no clip {path}: make-gpu-clips.sh of another version made the others.");
    }

    private static string Find()
    {
        string published = Path.Combine(AppContext.BaseDirectory, "gpu-clips");
        if (Directory.Exists(published))
        {
            return published;
        }

        string here = SourceFolder();
        string made = Path.Combine(here, "obj", "gpu-clips");
        using Process process = Process.Start(new ProcessStartInfo(Path.Combine(here, "make-gpu-clips.sh"), [made]) { RedirectStandardError = true })!;
        string messages = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? made : throw new InvalidOperationException($"make-gpu-clips.sh ended with {process.ExitCode}: {messages}");
    }

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
