using System.Runtime.InteropServices;

namespace CuFrames.TestKit;

/// <summary>
/// What a process asks the CUDA driver and NVDEC for, counted by driver_audit.c as the process calls them, the driver's double or a real one. An audit is of one
/// process, which is started with <see cref="Environment"/>.
/// </summary>
public sealed class DriverAudit
{
    private readonly string _counts;

    /// <summary>Makes an audit.</summary>
    /// <param name="folder">Where the file with the counts may lie.</param>
    /// <param name="name">Name of the file, for several audits in one folder.</param>
    public DriverAudit(string folder, string name = "driver-audit") => _counts = Path.Combine(folder, name);

    /// <summary>What the process needs in its environment.</summary>
    public IReadOnlyDictionary<string, string?> Environment => new Dictionary<string, string?>
    {
        ["LD_AUDIT"] = Path.Combine(AppContext.BaseDirectory, "libdriver_audit.so"),
        ["DRIVER_AUDIT"] = _counts,
    };

    /// <summary>Counts now, all of them zero if the process has not loaded the driver.</summary>
    /// <param name="usesDriver">Whether it has.</param>
    /// <exception cref="IOException">The audit library is not at work in the process.</exception>
    public DriverCounts Read(out bool usesDriver)
    {
        usesDriver = MemoryMarshal.Cast<byte, long>(File.ReadAllBytes(_counts)) is [> 0, ..];
        return usesDriver ? Read() : default;
    }

    /// <summary>Counts now.</summary>
    /// <exception cref="InvalidOperationException">The audit library was told of no function: its counts would mean nothing.</exception>
    public DriverCounts Read()
    {
        ReadOnlySpan<long> values = MemoryMarshal.Cast<byte, long>(File.ReadAllBytes(_counts));
        return values is [> 0, ..]
            ? new DriverCounts(values[1], values[2], values[3], values[4], values[5], values[6], values[7])
            : throw new InvalidOperationException("The audit library was told of no function of the driver: its counts mean nothing.");
    }
}
