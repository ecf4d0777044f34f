using CuFrames.Daemon.Internal.Taps;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>A stream that pictures are made of.</summary>
/// <param name="Camera">Key of its camera.</param>
/// <param name="Directory">The runtime directory.</param>
/// <param name="Stream">The stream.</param>
internal sealed record TilePlace(string Camera, string Directory, TapStream Stream);
