using System.Diagnostics;
using System.Runtime.InteropServices;
using CuFrames.TestKit;

namespace CuFrames.Media.Tests;

/// <summary>The copies that a process which publishes a file asks the driver for, libav's included, counted by copy_audit.c.</summary>
internal sealed record CopyAudit(long Frames, string Decoder, ulong HostToDevice, ulong DeviceToHost, ulong DeviceToDevice, ulong Others)
{
    /// <summary>Why that decoded.</summary>
    public string? Reason { get; init; }

    /// <summary>Publishes a file in a process of its own.</summary>
    /// <param name="path">The file.</param>
    /// <param name="driverFolder">Where that process finds its driver first; null: where the system has it.</param>
    public static CopyAudit Publish(string path, string? driverFolder = null)
    {
        using TemporaryDirectory folder = new();
        string counts = Path.Combine(folder.Path, "counts");
        ProcessStartInfo start = new(Environment.ProcessPath!, ["--publish", path]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LD_AUDIT"] = Path.Combine(AppContext.BaseDirectory, "libcopy_audit.so");
        start.Environment["COPY_AUDIT"] = counts;
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

        ReadOnlySpan<ulong> values = MemoryMarshal.Cast<byte, ulong>(File.ReadAllBytes(counts));
        if (values[0] == 0)
        {
            throw new InvalidOperationException("The audit library was told of no copy function: its counts mean nothing.");
        }

        return new CopyAudit(
            long.Parse(output[0], System.Globalization.CultureInfo.InvariantCulture), output[1], values[1], values[2], values[3], values[4])
        {
            Reason = lines[1],
        };
    }
}
