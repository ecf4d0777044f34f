using System.Diagnostics;
using CuFrames.TestKit;

namespace CuFrames.Media.Tests;

/// <summary>The copies that a process which publishes a file asks the driver for, libav's included, counted by <see cref="DriverAudit"/>.</summary>
internal sealed record CopyAudit(long Frames, string Decoder, long HostToDevice, long DeviceToHost, long DeviceToDevice, long Others)
{
    /// <summary>Why that decoded.</summary>
    public string? Reason { get; init; }

    /// <summary>Publishes a file in a process of its own.</summary>
    /// <param name="path">The file.</param>
    /// <param name="driverFolder">Where that process finds its driver first; null: where the system has it.</param>
    public static CopyAudit Publish(string path, string? driverFolder = null)
    {
        using TemporaryDirectory folder = new();
        DriverAudit audit = new(folder.Path);
        ProcessStartInfo start = new(Environment.ProcessPath!, ["--publish", path]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string? value) in audit.Environment)
        {
            start.Environment[name] = value;
        }

        if (driverFolder is not null)
        {
            start.Environment["LD_LIBRARY_PATH"] = driverFolder;
        }

        using Process process = Process.Start(start)!;
        Task<string> messages = process.StandardError.ReadToEndAsync();
        string[] lines = process.StandardOutput.ReadToEnd().Split('\n');
        string[] output = lines[0].Split(' ');
        process.WaitForExit();
        if (process.ExitCode != 0 || output.Length != 2 || lines.Length < 2)
        {
            throw new InvalidOperationException($"The publishing process ended with {process.ExitCode}: {messages.Result}");
        }

        DriverCounts counts = audit.Read();
        return new CopyAudit(
            long.Parse(output[0], System.Globalization.CultureInfo.InvariantCulture), output[1], counts.HostToDevice, counts.DeviceToHost, counts.DeviceToDevice, counts.OtherCopies)
        {
            Reason = lines[1],
        };
    }
}
