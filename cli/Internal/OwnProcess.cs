using System.Diagnostics;

namespace CuFrames.Cli.Internal;

/// <summary>Starts this program once more, as another process.</summary>
internal static class OwnProcess
{
    /// <summary>Starts the program with its three standard streams redirected.</summary>
    /// <param name="directory">Its runtime directory.</param>
    /// <param name="arguments">Its command line.</param>
    public static Process Start(string directory, params string[] arguments)
    {
        string program = Environment.ProcessPath ?? throw new InvalidOperationException("The path of this program is not known.");
        ProcessStartInfo start = new(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
        {
            // Started as "dotnet cuframes.dll".
            start.ArgumentList.Add(typeof(OwnProcess).Assembly.Location);
        }

        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["CUFRAMES_DIR"] = directory;
        return Process.Start(start) ?? throw new InvalidOperationException($"{program} could not be started.");
    }
}
