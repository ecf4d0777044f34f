using System.Globalization;

namespace CuFrames.Daemon.Internal.Limits;

/// <summary>The keys that the section <c>limits</c> may have.</summary>
internal static class LimitsKey
{
    internal const string Memory = "memory";
    internal const string Descriptors = "descriptors";
    internal const string Cameras = "cameras";

    private const string Auto = "auto";
    private const string None = "none";
    private const int MostDescriptors = 1 << 20;
    private const int MostCameras = 10_000;

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(
            Memory,
            Auto,
            "auto, none, or a size from 1MiB to 1024GiB, such as 512MiB or 4GiB",
            value => value.IsText(Auto) ? 0L : value.IsText(None) ? long.MaxValue : value.Size(1L << 20, 1L << 40)),
        new(Descriptors, Auto, $"auto, or a whole number from 64 to {MostDescriptors}", value => value.IsText(Auto) ? 0 : value.Integer(64, MostDescriptors)),
        new(Cameras, "1000", $"a whole number from 1 to {MostCameras}", value => value.Integer(1, MostCameras)),
    ];

    /// <summary>Reads the section; what is wrong is reported.</summary>
    internal static LimitsConfiguration Read(ConfigurationValue section)
    {
        ConfigurationSettings settings = ConfigurationSettings.Read(section, All);
        LimitsConfiguration otherwise = LimitsConfiguration.Default;
        return new LimitsConfiguration(Get(Memory, otherwise.Memory), Get(Descriptors, otherwise.Descriptors), Get(Cameras, otherwise.Cameras));

        T Get<T>(string name, T other) => settings.TryGet(name, out T? value) ? value! : other;
    }

    /// <summary>As one writes it in the configuration.</summary>
    internal static string Describe(LimitsConfiguration limits)
    {
        string memory = limits.Memory switch
        {
            0 => Auto,
            long.MaxValue => None,
            _ => string.Create(CultureInfo.InvariantCulture, $"{limits.Memory}B"),
        };
        string descriptors = limits.Descriptors == 0 ? Auto : limits.Descriptors.ToString(CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture, $"{{{Memory}: {memory}, {Descriptors}: {descriptors}, {Cameras}: {limits.Cameras}}}");
    }
}
