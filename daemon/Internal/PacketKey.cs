using CuFrames.Client;

namespace CuFrames.Daemon.Internal;

/// <summary>The keys that a camera's packets may have.</summary>
internal static class PacketKey
{
    internal const string Memory = "memory";
    internal const string Time = "time";
    internal const string Readers = "readers";

    /// <summary>Value of <see cref="CameraKey.Packets"/> of a camera whose packets are not published.</summary>
    internal const string Off = "off";

    /// <summary>Value of <see cref="CameraKey.Packets"/> that says nothing but the defaults.</summary>
    internal const string On = "on";

    /// <summary>Value of <see cref="Readers"/> that is the camera's.</summary>
    internal const string Camera = "camera";

    private const long LeastMemory = 64L << 10, MostMemory = 1L << 32;

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Memory, "32MiB", "a size from 64KiB to 4GiB, such as 32MiB", value => value.Size(LeastMemory, MostMemory)),
        new(Time, "60s", "a time from 1s to 24h, such as 60s or 10min", value => value.Time(TimeSpan.FromSeconds(1), TimeSpan.FromHours(24))),
        new(Readers, Camera, $"{Camera}, own, everyone, or {{users: [...], groups: [...]}} with names or ids",
            value => value.IsText(Camera) ? Camera : CameraKey.ParseReaders(value)),
    ];

    /// <summary>What holds where nothing is said.</summary>
    internal static PacketConfiguration Default { get; } = new() { Memory = 32L << 20, Time = TimeSpan.FromMinutes(1), Readers = null };

    /// <summary>Reads the value of a camera's key; what is wrong is reported.</summary>
    /// <returns><see cref="Off"/>, a <see cref="PacketConfiguration"/>, or null.</returns>
    internal static object? Read(ConfigurationValue value)
    {
        if (value.Node.Kind != ConfigurationNodeKind.Mapping)
        {
            return value.Choice((On, Default), (Off, Off));
        }

        int before = value.Problems.Count;
        ConfigurationSettings settings = ConfigurationSettings.Read(value, All);
        if (value.Problems.Count > before)
        {
            return null;
        }

        const long Page = 4096;
        return new PacketConfiguration
        {
            Memory = settings.TryGet(Memory, out long memory) ? (memory + Page - 1) & ~(Page - 1) : Default.Memory,
            Time = settings.TryGet(Time, out TimeSpan time) ? time : Default.Time,
            Readers = settings.TryGet(Readers, out object? readers) ? readers as ReaderAccess : null,
        };
    }
}
