using System.Globalization;

namespace CuFrames.Daemon.Internal;

/// <summary>The keys that the section <c>gpu</c> may have.</summary>
internal static class GpuKey
{
    /// <summary>Value of a limit that does not limit.</summary>
    internal const string None = "none";

    internal const string Device = "device";
    internal const string MemoryLimit = "memory_limit";
    internal const string MaxDecoders = "max_decoders";

    /// <summary>No machine has more devices that CUDA numbers.</summary>
    private const int LargestNumber = 255;

    private const int MostDecoders = 1024;

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Device, "0", $"a number from 0 to {LargestNumber}, or a UUID (GPU-... or MIG-...) as nvidia-smi -L prints it", ParseDevice),
        new(MemoryLimit, None, "none, or a size from 1MiB to 1024GiB, such as 512MiB or 4GiB", value => value.IsText(None) ? 0L : value.Size(1L << 20, 1L << 40)),
        new(MaxDecoders, None, $"none, or a whole number from 1 to {MostDecoders}", value => value.IsText(None) ? 0 : value.Integer(1, MostDecoders)),
    ];

    private static GpuSelection? ParseDevice(ConfigurationValue value)
    {
        if (value.Text() is not { } text)
        {
            return null;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= LargestNumber)
        {
            return new GpuSelection(number, null);
        }

        bool hasPrefix = text.StartsWith("GPU-", StringComparison.Ordinal) || text.StartsWith("MIG-", StringComparison.Ordinal);
        if (hasPrefix && Guid.TryParseExact(text.AsSpan(4), "D", out Guid uuid))
        {
            return new GpuSelection(null, uuid) { Prefix = text[..4] };
        }

        value.Report($"found {value.Found}", value.Accepted);
        return null;
    }
}
