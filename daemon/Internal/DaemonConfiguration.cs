using System.Globalization;
using System.Text;
using CuFrames.Client;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Daemon.Internal.Web;
using CuFrames.Media;

namespace CuFrames.Daemon.Internal;

/// <summary>A whole configuration. Immutable.</summary>
/// <param name="Directory">The runtime directory that the file names; null: it names none.</param>
/// <param name="Gpu">The GPU of all cameras that use one.</param>
/// <param name="Taps">The taps.</param>
/// <param name="Web">The web server.</param>
/// <param name="Log">The log.</param>
/// <param name="Metrics">The pushing of metrics.</param>
/// <param name="Cameras">The cameras, those that are not enabled included, in the file's order.</param>
internal sealed record DaemonConfiguration(
    string? Directory,
    GpuConfiguration Gpu,
    TapConfiguration Taps,
    WebConfiguration Web,
    LogConfiguration Log,
    MetricsConfiguration Metrics,
    IReadOnlyList<CameraConfiguration> Cameras)
{
    /// <summary>Who may do what.</summary>
    public AccessConfiguration Access { get; init; } = AccessConfiguration.Default;

    /// <summary>The control API by TCP.</summary>
    public ControlConfiguration Control { get; init; } = ControlConfiguration.Default;

    /// <summary>The directory for what must outlive the daemon, as the file names it; null: it names none.</summary>
    public string? State { get; init; }

    /// <summary>The mapping <c>defaults</c> as it stands in the file, for cameras that stand elsewhere; null: there is none.</summary>
    public ConfigurationNode? Defaults { get; init; }

    /// <summary>The mappings of the cameras as they stand in the file, by key.</summary>
    public IReadOnlyDictionary<string, ConfigurationNode> Settings { get; init; } = new Dictionary<string, ConfigurationNode>();

    /// <summary>Ceilings of what all cameras may take.</summary>
    public LimitsConfiguration Limits { get; init; } = LimitsConfiguration.Default;

    /// <summary>Everything that holds, as YAML, without secrets.</summary>
    /// <param name="directory">The runtime directory that holds.</param>
    /// <param name="state">The directory that holds for what must outlive the daemon; null: none.</param>
    public string Describe(string directory, string? state = null)
    {
        StringBuilder text = new();
        text.Append("directory: ").Append(Quote(directory)).Append('\n');
        if (state is not null)
        {
            text.Append("state: ").Append(Quote(state)).Append('\n');
        }

        text.Append("gpu:\n");
        text.Append("  device: ").Append(Gpu.Device).Append('\n');
        text.Append("  memory_limit: ").Append(Gpu.MemoryLimit == 0 ? GpuKey.None : $"{Number(Gpu.MemoryLimit)}B").Append('\n');
        text.Append("  max_decoders: ").Append(Gpu.MaxDecoders == 0 ? GpuKey.None : Number(Gpu.MaxDecoders)).Append('\n');
        text.Append("taps: ").Append(TapKey.Describe(Taps)).Append('\n');
        text.Append("web: ").Append(WebKey.Describe(Web)).Append('\n');
        text.Append("log: ").Append(LogKey.Describe(Log)).Append('\n');
        text.Append("metrics: ").Append(MetricsKey.Describe(Metrics)).Append('\n');
        text.Append("control: ").Append(ControlKey.Describe(Control)).Append("\npermissions:\n");
        foreach (string line in PermissionKey.Describe(Access))
        {
            text.Append("  ").Append(line).Append('\n');
        }
        text.Append("limits: ").Append(LimitsKey.Describe(Limits)).Append('\n');
        text.Append("cameras:").Append(Cameras.Count == 0 ? " {}\n" : "\n");
        foreach (CameraConfiguration camera in Cameras)
        {
            text.Append("  ").Append(Quote(camera.Key)).Append(":\n");
            Add(CameraKey.Source, Quote(camera.SourceText));
            Add(CameraKey.Enabled, Bool(camera.Enabled));
            Add(CameraKey.Paced, camera.Paced is { } paced ? Bool(paced) : CameraKey.Auto);
            if (camera.Url is { IsFile: false })
            {
                Add(CameraKey.Transport, camera.Transport == MediaTransport.Udp ? "udp" : "tcp");
            }

            if (camera.Url is not null)
            {
                Add(CameraKey.Decode, camera.Decode.ToString());
                Add(CameraKey.DecodeThreads, Number(camera.DecodeThreads));
                Add(CameraKey.Loop, Bool(camera.Loop));
                Add(CameraKey.OpenTimeout, Time(camera.OpenTimeout));
                Add(CameraKey.StallTimeout, Time(camera.StallTimeout));
                Add(CameraKey.Packets, camera.Packets is null ? PacketKey.Off : Describe(camera.Packets));
            }

            Add(CameraKey.Memory, camera.MemoryText);
            Add(CameraKey.Slots, Number(camera.Slots));
            Add(CameraKey.MaxSlots, Number(camera.MaxSlots));
            Add(CameraKey.MemoryLimit, camera.MemoryLimit == 0 ? CameraKey.Auto : $"{Number(camera.MemoryLimit)}B");
            Add(CameraKey.LeaseTimeout, Time(camera.LeaseTimeout));
            Add(CameraKey.Lossless, camera.LosslessTimeout == TimeSpan.Zero ? "false" : Time(camera.LosslessTimeout));
            Add(CameraKey.Readers, Describe(camera.Readers));
            Add(CameraKey.Isolated, Bool(camera.Isolated));
            Add(CameraKey.StuckTimeout, camera.StuckTimeout == TimeSpan.Zero ? CameraKey.Off : Time(camera.StuckTimeout));
            if (camera.Renditions.Count > 0)
            {
                text.Append("    ").Append(CameraKey.Renditions).Append(":\n");
            }

            foreach (RenditionConfiguration rendition in camera.Renditions)
            {
                text.Append("      ").Append(Quote(rendition.Name)).Append(": ").Append(Describe(camera, rendition)).Append('\n');
            }
        }

        return text.ToString();

        void Add(string key, string value) => text.Append("    ").Append(key).Append(": ").Append(value).Append('\n');
    }

    /// <summary>A rule as one writes it in the configuration.</summary>
    internal static string Describe(ReaderAccess readers) =>
        readers.AllowsEveryone ? "everyone"
        : readers.Users.Count + readers.Groups.Count == 0 ? "own"
        : $"{{users: [{string.Join(", ", readers.Users)}], groups: [{string.Join(", ", readers.Groups)}]}}";

    private static string Describe(PacketConfiguration packets) =>
        $"{{{PacketKey.Memory}: {Number(packets.Memory)}B, {PacketKey.Time}: {Time(packets.Time)}, {PacketKey.Readers}: {(packets.Readers is { } readers ? Describe(readers) : PacketKey.Camera)}}}";

    private static string Describe(CameraConfiguration camera, RenditionConfiguration rendition)
    {
        RenditionOptions options = rendition.Options;
        string size = options.Width > 0
            ? $"{RenditionKey.Size}: {Number(options.Width)}x{Number(options.Height)}, {RenditionKey.Fit}: {RenditionKey.NameOf(options.Fit)}"
            : $"{RenditionKey.Scale}: {options.Scale.ToString(CultureInfo.InvariantCulture)}";
        string rate = options.MaxFrameRate?.ToString(CultureInfo.InvariantCulture) ?? RenditionKey.None;
        string format = options.Format is { } named ? Protocol.PixelFormats.Name(named) : RenditionKey.Source;
        string tensor = options.Tensor is { } numbers ? $", {RenditionKey.Tensor}: {TensorKey.TextOf(numbers)}" : "";
        return $"{{{size}, {RenditionKey.Fps}: {rate}, {RenditionKey.Format}: {format}{tensor}, {RenditionKey.Memory}: {CameraConfiguration.NameOf(camera.MemoryOf(rendition))}, {RenditionKey.Readers}: {(rendition.Readers is { } readers ? Describe(readers) : PacketKey.Camera)}}}";
    }

    private static string Bool(bool value) => value ? "true" : "false";

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Time(TimeSpan value) => string.Create(CultureInfo.InvariantCulture, $"{value.TotalMilliseconds}ms");

    /// <summary>In single quotes where YAML would read something else into the plain text.</summary>
    internal static string Quote(string text)
    {
        bool isPlain = text.Length > 0 && (char.IsAsciiLetter(text[0]) || text[0] == '/') && text is not ("true" or "false" or "null") &&
            text.All(c => char.IsAsciiLetterOrDigit(c) || "/._-@:*?=&%+".Contains(c, StringComparison.Ordinal)) && !text.EndsWith(':');
        return isPlain ? text : $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
    }
}
