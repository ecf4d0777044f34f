using CuFrames.Interop;
using CuFrames.Media.Internal;

namespace CuFrames.Media;

/// <summary>Facts about the libav libraries that this process uses. All members are safe from any thread.</summary>
public static unsafe class MediaLibrary
{
    private static readonly Lazy<MediaLibraryVersions> Loaded = new(Read);

    /// <summary>Loads the libraries and says which ones they are.</summary>
    /// <exception cref="MediaException">A library is missing or does not fit; the text says what to install.</exception>
    public static MediaLibraryVersions Versions => Loaded.Value;

    /// <summary>Whether the installed libavcodec can decode this codec in software.</summary>
    /// <param name="name">libav's name of the decoder, for example <c>h264</c> or <c>hevc</c>.</param>
    public static bool HasDecoder(string name)
    {
        Load();
        return AvNative.HasDecoder(name) != 0;
    }

    /// <summary>Codecs that the installed libavcodec can decode by NVDEC, libav's names; empty if it was built without. Says nothing of a GPU.</summary>
    /// <exception cref="MediaException">A library is missing or does not fit; the text says what to install.</exception>
    public static IReadOnlyList<string> NvdecCodecs
    {
        get
        {
            Load();
            const int Capacity = 1024;
            byte* text = stackalloc byte[Capacity];
            int length = (int)AvNative.NvdecCodecs(text, Capacity);
            return AvNative.TextOf(new ReadOnlySpan<byte>(text, length)).Split(',', StringSplitOptions.RemoveEmptyEntries);
        }
    }

    /// <summary>Asks the driver what a GPU's NVDEC does of a codec.</summary>
    /// <param name="context">A context of the GPU.</param>
    /// <param name="codec">libav's name, for example <c>h264</c>.</param>
    /// <param name="bitDepth">Bits of a sample, 8 to 16.</param>
    /// <param name="chroma">0: 4:0:0, 1: 4:2:0, 2: 4:2:2, 3: 4:4:4.</param>
    /// <exception cref="MediaException">The driver cannot be asked; the text says why and what to do.</exception>
    public static NvdecCapabilities GetNvdecCapabilities(CudaContext context, string codec, int bitDepth, int chroma = 1)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfLessThan(bitDepth, 8);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bitDepth, 16);
        ArgumentOutOfRangeException.ThrowIfNegative(chroma);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(chroma, 3);
        Load();
        const int Capacity = 1024;
        byte* error = stackalloc byte[Capacity];
        AvNative.NvdecCaps caps = new() { Size = (uint)sizeof(AvNative.NvdecCaps) };
        int result = AvNative.GetNvdecCaps(context.Handle, codec, (uint)bitDepth, (uint)chroma, &caps, error, Capacity);
        return result == AvNative.Ok
            ? new NvdecCapabilities(
                caps.IsSupported != 0, (int)caps.Engines, (int)caps.MinWidth, (int)caps.MinHeight, (int)caps.MaxWidth, (int)caps.MaxHeight,
                (int)caps.MaxMacroblocks)
            : throw AvText.PictureError($"Cannot ask {context.Device.Name} what it decodes", result, error, Capacity);
    }

    internal static void Load() => _ = Loaded.Value;

    private static MediaLibraryVersions Read()
    {
        AvNative.Versions versions = new() { Size = (uint)sizeof(AvNative.Versions) };
        int result;
        try
        {
            result = AvNative.GetVersions(&versions);
        }
        catch (DllNotFoundException e)
        {
            throw new MediaException(
                MediaError.LibraryMissing,
                $"Cannot load libcuframes_av.so or a library that it needs ({FirstLine(e.Message)}). Keep the file beside the program and install the FFmpeg libraries it was built with: libavformat, libavcodec, libavutil, libswscale.",
                e);
        }
        catch (EntryPointNotFoundException e)
        {
            throw Mismatch(e);
        }

        if (result != AvNative.Ok || versions.Abi != AvNative.Abi)
        {
            throw Mismatch(null);
        }

        return new MediaLibraryVersions(
            AvNative.TextOf(versions.Release),
            VersionOf(versions.AvformatLoaded),
            VersionOf(versions.AvcodecLoaded),
            VersionOf(versions.AvutilLoaded),
            VersionOf(versions.SwscaleLoaded),
            VersionOf(versions.AvcodecBuilt),
            AvNative.TextOf(versions.HardwareDevices).Split(',', StringSplitOptions.RemoveEmptyEntries));
    }

    private static MediaException Mismatch(Exception? cause) => new(
        MediaError.LibraryMissing,
        "The libcuframes_av.so that was found belongs to another version of CuFrames. Build or install the one of this version.",
        cause);

    private static string FirstLine(string text)
    {
        int end = text.IndexOf('\n', StringComparison.Ordinal);
        return end < 0 ? text : text[..end];
    }

    private static Version VersionOf(uint word) => new((int)(word >> 16), (int)((word >> 8) & 0xFF), (int)(word & 0xFF));
}
