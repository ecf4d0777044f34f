namespace CuFrames.Daemon.Internal.Taps;

/// <summary>What is told of all taps.</summary>
/// <param name="Streams">Every stream with its taps.</param>
internal sealed record TapListings(IReadOnlyList<TapListing> Streams);
