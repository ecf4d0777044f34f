using System.Diagnostics;

namespace CuFrames.Native.Tests;

/// <summary>Runs a program to its end.</summary>
internal static class Tool
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(600);

    /// <summary>Runs it; an exit status other than 0 is an error.</summary>
    /// <returns>What it wrote to standard output.</returns>
    public static string Run(string file, params string[] arguments)
    {
        ToolResult result = RunWith([], file, arguments);
        return result.Status == 0
            ? result.Output
            : throw new InvalidOperationException($"{file} {string.Join(' ', arguments)} ended with status {result.Status}: {result.Output}{result.Errors}");
    }

    /// <summary>Runs it with more in its environment.</summary>
    public static ToolResult RunWith(IEnumerable<KeyValuePair<string, string>> environment, string file, params string[] arguments)
    {
        ProcessStartInfo start = new(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{file} did not start.");
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            throw new TimeoutException($"{file} {string.Join(' ', arguments)} did not end within {Patience.TotalSeconds} s. It wrote: {output.Result}{errors.Result}");
        }

        return new ToolResult(process.ExitCode, output.Result, errors.Result);
    }
}
