using System.Globalization;
using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal;

/// <summary>The keys that a rendition may have.</summary>
internal static class RenditionKey
{
    internal const string Size = "size";
    internal const string Scale = "scale";
    internal const string Fit = "fit";
    internal const string Fps = "fps";
    internal const string Format = "format";
    internal const string Tensor = "tensor";
    internal const string Memory = "memory";
    internal const string Readers = "readers";

    /// <summary>Value of a limit that does not limit.</summary>
    internal const string None = "none";

    /// <summary>Value of a format that is the camera's.</summary>
    internal const string Source = "source";

    private const double LeastScale = 0.01, MostScale = 8, LeastRate = 0.01, MostRate = 1000;

    private static readonly (string Name, object Fit)[] Fits =
        [("letterbox", PictureFit.Letterbox), ("stretch", PictureFit.Stretch), ("crop", PictureFit.Crop)];

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Size, "-", $"WIDTHxHEIGHT with 1 to {Wire.MaxDimension} columns and rows, such as 640x360", ParseSize),
        new(Scale, "1", "a number from 0.01 to 8, such as 0.5", value => value.Number(LeastScale, MostScale)),
        new(Fit, "letterbox", "letterbox, stretch, crop", value => value.Choice(Fits)),
        new(Fps, None, "none, or a number from 0.01 to 1000, such as 5 or 12.5", value => value.IsText(None) ? None : value.Number(LeastRate, MostRate)),
        new(Format, Source, $"source, {string.Join(", ", Formats())}", value => value.Choice(
            [(Source, Source), .. PixelFormats.All.ToArray().Select(format => (PixelFormats.Name(format), (object)format))])),
        new(Tensor, "-", "a mapping with the keys scale, mean, std, for the formats rgbp_f16, bgrp_f16, rgbp_f32, bgrp_f32", TensorKey.Read),
        new(Memory, CameraKey.Auto, "auto (the camera's), host, cuda, cuda-ipc", value => value.Choice(
            [(CameraKey.Auto, CameraKey.Auto), .. CameraKey.Memories])),
        new(Readers, PacketKey.Camera, $"{PacketKey.Camera}, own, everyone, or {{users: [...], groups: [...]}} with names or ids",
            value => value.IsText(PacketKey.Camera) ? PacketKey.Camera : CameraKey.ParseReaders(value)),
    ];

    /// <summary>A fit as one writes it in the configuration.</summary>
    internal static string NameOf(PictureFit fit) => Array.Find(Fits, candidate => fit.Equals(candidate.Fit)).Name;

    /// <summary>Reads one rendition; what is wrong is reported.</summary>
    /// <returns>It, or null.</returns>
    internal static RenditionConfiguration? Read(string name, ConfigurationValue value)
    {
        int before = value.Problems.Count;
        if (!StreamKey.IsValid($"a@{name}"))
        {
            value.ReportKey($"'{name}' is not a rendition's name", $"1 to {StreamKey.MaxNameLength} of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit, such as small");
        }

        ConfigurationSettings settings = ConfigurationSettings.Read(value, All);
        bool hasSize = settings.TryGet(Size, out (int Width, int Height) size);
        if (hasSize && settings.Has(Scale))
        {
            settings.PlaceOf(Scale).Report("the key 'size' stands beside it", "one of the two");
        }

        if (!hasSize && !settings.IsBad(Size) && settings.Has(Fit))
        {
            settings.PlaceOf(Fit).Report("the key has no meaning without the key 'size'", "the key only where a size may have another shape than the camera's");
        }

        PixelFormat? wanted = settings.TryGet(Format, out object? format) ? format as PixelFormat? : null;
        bool hasTensor = settings.TryGet(Tensor, out TensorOptions? tensor);
        if (hasTensor && !settings.IsBad(Format) && FaultOf(tensor!, wanted) is { } fault)
        {
            settings.PlaceOf(Tensor).Report(fault, "numbers that the format can hold, and the key only with the formats rgbp_f16, bgrp_f16, rgbp_f32, bgrp_f32");
        }

        if (value.Problems.Count > before)
        {
            return null;
        }

        return new RenditionConfiguration(name, new RenditionOptions
        {
            Width = size.Width,
            Height = size.Height,
            Scale = settings.TryGet(Scale, out double scale) ? scale : 1,
            Fit = settings.TryGet(Fit, out PictureFit fit) ? fit : PictureFit.Letterbox,
            MaxFrameRate = settings.TryGet(Fps, out object? rate) ? rate as double? : null,
            Format = wanted,
            Tensor = tensor,
        }, settings.TryGet(Memory, out object? memory) ? memory as FrameMemory? : null)
        {
            Readers = settings.TryGet(Readers, out object? readers) ? readers as ReaderAccess : null,
        };
    }

    private static IEnumerable<string> Formats() => PixelFormats.All.ToArray().Select(PixelFormats.Name);

    private static object? ParseSize(ConfigurationValue value)
    {
        if (value.Text() is not { } text)
        {
            return null;
        }

        string[] sides = text.Split('x');
        if (sides.Length == 2 && TryParse(sides[0], out int width) && TryParse(sides[1], out int height))
        {
            return (width, height);
        }

        value.Report($"found {value.Found}", value.Accepted);
        return null;

        static bool TryParse(string side, out int number) =>
            int.TryParse(side, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number is >= 1 and <= Wire.MaxDimension;
    }

    private static string? FaultOf(TensorOptions tensor, PixelFormat? format)
    {
        if (format is not { } named || !PixelFormats.IsFloat(named))
        {
            return $"the key has no meaning with the format {(format is { } other ? PixelFormats.Name(other) : Source)}";
        }

        return tensor.FindFault(named);
    }
}
