namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>A camera at one moment.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Source">Where its frames come from, without secrets.</param>
/// <param name="Facts">What it did until then.</param>
/// <param name="Streams">Its streams of frames: its own first.</param>
/// <param name="BytesPerSecond">Bytes of video received per second, over the last seconds.</param>
/// <param name="Latency">Null: no frame in the last minute.</param>
internal sealed record CameraSnapshot(
    string Key, string Source, CameraFacts Facts, IReadOnlyList<StreamSnapshot> Streams, double BytesPerSecond, LatencySnapshot? Latency)
{
    /// <summary>Readers of all its streams, of frames and of packets.</summary>
    public int Readers => Streams.Sum(stream => stream.Facts.Statistics.Subscribers.Count) + (Facts.Packets?.Statistics.Subscribers.Count ?? 0);
}
