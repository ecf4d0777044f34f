using System.Globalization;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>How figures and names are written for people.</summary>
internal static class Words
{
    private static readonly string[] BinaryUnits = ["B", "KiB", "MiB", "GiB", "TiB"];

    public static string Of(StreamState state) => state switch
    {
        StreamState.Starting => "starting",
        StreamState.Live => "live",
        StreamState.SourceLost => "source lost",
        StreamState.Ended => "ended",
        _ => string.Create(CultureInfo.InvariantCulture, $"state {(uint)state}"),
    };

    /// <summary>The state's name for programs.</summary>
    public static string CodeOf(StreamState state) => Of(state).Replace(' ', '_');

    /// <summary>A state of a camera, for people.</summary>
    public static string Of(Control.V1.CameraState state) => JsonLine.SnakeCase(state.ToString()).Replace('_', ' ');

    /// <summary>A severity, as the commands take it too.</summary>
    public static string Of(Control.V1.Severity severity) => severity switch
    {
        Control.V1.Severity.Information => "info",
        Control.V1.Severity.Warning => "warning",
        Control.V1.Severity.Error => "error",
        _ => string.Create(CultureInfo.InvariantCulture, $"severity {(int)severity}"),
    };

    /// <summary>The memory domain's name for programs.</summary>
    public static string CodeOf(MemoryDomain domain) => JsonLine.SnakeCase(domain.ToString());

    /// <summary>A device as nvidia-smi prints it; null for none.</summary>
    public static string? DeviceOf(Guid uuid) => uuid == Guid.Empty ? null : $"GPU-{uuid:D}";

    /// <summary>Where frames lie, short; empty for main memory.</summary>
    /// <param name="memory">The memory domain's name.</param>
    /// <param name="device">The device as nvidia-smi prints it; null for none.</param>
    public static string Domain(string? memory, string? device) =>
        // The first group of a UUID tells the devices of a machine apart.
        device is null ? "" : $"{memory} {device[..Math.Min(device.Length, "GPU-00000000".Length)]}";

    /// <summary>Names of release fences as docs/protocol.md writes them.</summary>
    public static string Of(Fence fence) => fence.ToString().ToUpperInvariant();

    public static string Of(Delivery delivery) => delivery switch
    {
        Delivery.InOrder => "in-order",
        Delivery.Lossless => "lossless",
        _ => "newest",
    };

    public static string Rate(double? perSecond) => perSecond is { } rate ? rate.ToString("0.0", CultureInfo.InvariantCulture) : "-";

    public static string Count(ulong count) => count.ToString("0", CultureInfo.InvariantCulture);

    public static string Bytes(double bytes)
    {
        int unit = 0;
        while (bytes >= 1024 && unit < BinaryUnits.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }

        return bytes.ToString(unit == 0 || bytes >= 100 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + BinaryUnits[unit];
    }

    /// <summary>A time that has passed, in the two units that suit it.</summary>
    public static string Duration(double seconds)
    {
        TimeSpan time = TimeSpan.FromSeconds(Math.Floor(seconds));
        return time switch
        {
            { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Seconds} s"),
            { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Minutes} min {time.Seconds} s"),
            { TotalDays: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Hours} h {time.Minutes} min"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{time.Days} d {time.Hours} h"),
        };
    }

    /// <summary>A duration in microseconds with the unit that suits it.</summary>
    public static string Microseconds(double? microseconds) => microseconds switch
    {
        null => "-",
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{microseconds:0} µs"),
        < 100_000 => string.Create(CultureInfo.InvariantCulture, $"{microseconds / 1000:0.0} ms"),
        < 10_000_000 => string.Create(CultureInfo.InvariantCulture, $"{microseconds / 1000:0} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{microseconds / 1_000_000:0.0} s"),
    };
}
