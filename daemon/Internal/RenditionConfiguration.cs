using CuFrames.Client;
using CuFrames.Media;

namespace CuFrames.Daemon.Internal;

/// <summary>One rendition of a camera as configured. Immutable; equal by value.</summary>
/// <param name="Name">What follows the <c>@</c> in its stream's key.</param>
/// <param name="Options">What to make.</param>
/// <param name="Memory">Where its ring lies; null: where the camera's does.</param>
internal sealed record RenditionConfiguration(string Name, RenditionOptions Options, FrameMemory? Memory)
{
    /// <summary>Who may read it; null: who may read the camera.</summary>
    public ReaderAccess? Readers { get; init; }

    /// <inheritdoc/>
    public bool Equals(RenditionConfiguration? other) =>
        other is not null && Name == other.Name && Options == other.Options && Memory == other.Memory &&
        (Readers is null || other.Readers is null ? Readers is null && other.Readers is null : Readers.IsSameAs(other.Readers));

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Name, Options, Memory);
}
