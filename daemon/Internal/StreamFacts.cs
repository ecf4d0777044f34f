using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal;

/// <summary>A stream of frames at one moment. Immutable.</summary>
/// <param name="Key">Key of the stream.</param>
/// <param name="Format">What its frames look like; null before the first.</param>
/// <param name="Memory">Where they lie.</param>
/// <param name="Statistics">Figures and readers.</param>
internal sealed record StreamFacts(string Key, StreamFormat? Format, MemoryDomain Memory, PublisherStatistics Statistics)
{
    /// <summary>A stream of this process as it is now.</summary>
    /// <param name="publisher">What publishes it.</param>
    internal static StreamFacts Of(FramePublisher publisher) => new(publisher.Key, publisher.Format, publisher.Memory, publisher.GetStatistics());
}
