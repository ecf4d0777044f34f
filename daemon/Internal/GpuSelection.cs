using System.Globalization;
using System.Text.Json.Serialization;

namespace CuFrames.Daemon.Internal;

/// <summary>Which device is used: exactly one of the two is set. Immutable, compared by value.</summary>
/// <param name="Number">The device's number as the driver counts, from 0, of those that CUDA_VISIBLE_DEVICES leaves.</param>
/// <param name="Uuid">The device's UUID, which is the same for every process.</param>
internal sealed record GpuSelection(int? Number, Guid? Uuid)
{
    /// <summary>What stands before the UUID.</summary>
    [JsonInclude]
    internal string Prefix { get; init; } = "GPU-";

    /// <summary>As one writes it in the configuration.</summary>
    public override string ToString() => Number?.ToString(CultureInfo.InvariantCulture) ?? $"{Prefix}{Uuid:D}";
}
