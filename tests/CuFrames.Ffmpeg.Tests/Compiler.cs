using System.Diagnostics;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>The C compiler that the repository is built with.</summary>
internal static class Compiler
{
    /// <summary>Runs it.</summary>
    /// <returns>Exit status and messages.</returns>
    public static (int Status, string Messages) Run(params string[] arguments)
    {
        using Process compiler = Process.Start(new ProcessStartInfo("gcc", arguments) { RedirectStandardError = true })!;
        string messages = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        return (compiler.ExitCode, messages);
    }
}
