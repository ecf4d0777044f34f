namespace CuFrames.Demo.Internal;

/// <summary>The result as it goes to JSON.</summary>
/// <param name="Ok">Whether everything was as it must be.</param>
/// <param name="Streams">The streams.</param>
/// <param name="Readers">The readers.</param>
/// <param name="ReclaimMs">Milliseconds from SIGKILL until the publisher had the dead reader's slots back; null: not measured.</param>
/// <param name="Snapshot">Absolute path of the picture; null: there is none.</param>
internal sealed record DemoResult(
    bool Ok, IReadOnlyList<StreamResult> Streams, IReadOnlyList<ReaderResult> Readers, double? ReclaimMs, string? Snapshot);
