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
