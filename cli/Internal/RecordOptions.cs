using CuFrames.Client;
using CuFrames.Media;

namespace CuFrames.Cli.Internal;

/// <summary>What is recorded, and how.</summary>
/// <param name="Key">The stream.</param>
/// <param name="Path">Names of the files.</param>
/// <param name="Container">What they are.</param>
/// <param name="Segment">Length of a file; null: no bound.</param>
/// <param name="Limit">How long to record; null: until interrupted.</param>
/// <param name="Start">Where to begin.</param>
internal sealed record RecordOptions(string Key, RecordPath Path, PacketContainer Container, TimeSpan? Segment, TimeSpan? Limit, PacketStart Start);
