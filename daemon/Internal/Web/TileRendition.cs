using CuFrames.Client;
using CuFrames.Media;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>The rendition that the dashboard shows of a camera. A camera gets it when the dashboard is on; it costs nothing until somebody looks.</summary>
internal static class TileRendition
{
    /// <summary>Its name. A rendition of that name in the configuration takes its place.</summary>
    internal const string Name = "tile";

    private const int Width = 320;
    private const int Height = 180;

    /// <summary>In main memory, since JPEGs are made of it. Frames of a camera in device memory are scaled there, and only the result is copied.</summary>
    private static readonly RenditionConfiguration Tile =
        new(Name, new RenditionOptions { Width = Width, Height = Height, Fit = PictureFit.Letterbox, Filter = ScalingFilter.Area, MaxFrameRate = 1 }, FrameMemory.Host);

    /// <summary>Adds it to the cameras of a configuration, if it has the dashboard.</summary>
    internal static DaemonConfiguration AddTo(DaemonConfiguration configuration)
    {
        if (configuration.Web is not { Listen: not null, Dashboard: true })
        {
            return configuration;
        }

        HashSet<string> keys = [.. configuration.Cameras.Select(camera => camera.Key)];
        return configuration with
        {
            Cameras =
            [
                .. configuration.Cameras.Select(camera =>
                    camera.Key.Contains('@', StringComparison.Ordinal) || keys.Contains(KeyOf(camera.Key)) || camera.Renditions.Any(rendition => rendition.Name == Name)
                        ? camera
                        : camera with { Renditions = [.. camera.Renditions, Tile] }),
            ],
        };
    }

    /// <summary>Key of a camera's tile. Where there is no such stream, the camera's own is shown.</summary>
    /// <param name="camera">Key of the camera.</param>
    internal static string KeyOf(string camera) => $"{camera}@{Name}";
}
