using CuFrames.Media;

namespace CuFrames.Daemon.Internal;

/// <summary>One rendition of a camera as configured. Immutable; equal by value.</summary>
/// <param name="Name">What follows the <c>@</c> in its stream's key.</param>
/// <param name="Options">What to make.</param>
internal sealed record RenditionConfiguration(string Name, RenditionOptions Options);
