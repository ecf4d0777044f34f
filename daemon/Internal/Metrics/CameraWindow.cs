using CuFrames.Media;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>What has to be kept of a camera to tell its rates and its latency of the last minute. Only the control thread uses it.</summary>
internal sealed class CameraWindow
{
    /// <summary>Looks of <see cref="History.Interval"/> each that make up the minute.</summary>
    private const int Past = 6;

    private readonly Dictionary<string, (Rate Frames, Rate Drops)> _streams = [];

    /// <summary>Counts of the past looks; a difference is right although a count may have passed 2^32.</summary>
    private readonly uint[][] _counts = new uint[Past][];

    private long _frames;
    private int _looks;
    private Rate _bytes;

    /// <summary>Describes the camera now.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="source">Where its frames come from, without secrets.</param>
    /// <param name="facts">What it did until now.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal CameraSnapshot Describe(string key, string source, CameraFacts facts, long now)
    {
        if (_streams.Count > facts.Streams.Count)
        {
            foreach (string gone in _streams.Keys.Where(known => !facts.Streams.Any(stream => stream.Key == known)).ToList())
            {
                _streams.Remove(gone);
            }
        }

        return new CameraSnapshot(
            key, source, facts, [.. facts.Streams.Select(stream => Describe(stream, now))], _bytes.Update(now, facts.Source?.Bytes ?? 0), LatencyOf(facts));
    }

    /// <summary>Ends a part of the minute.</summary>
    /// <param name="facts">What the camera did until now.</param>
    internal void Advance(CameraFacts facts)
    {
        if (facts.Latency.Count == 0)
        {
            return;
        }

        uint[] counts = _counts[_looks % Past] ??= new uint[LatencyHistogram.BucketCount];
        for (int bucket = 0; bucket < counts.Length; bucket++)
        {
            counts[bucket] = unchecked((uint)facts.Latency[bucket]);
        }

        _looks++;
    }

    private StreamSnapshot Describe(StreamFacts stream, long now)
    {
        (Rate Frames, Rate Drops) rates = _streams.GetValueOrDefault(stream.Key);
        double frames = rates.Frames.Update(now, stream.Statistics.Published);
        double drops = rates.Drops.Update(now, stream.Statistics.Dropped);
        _streams[stream.Key] = rates;
        return new StreamSnapshot(stream, frames, drops);
    }

    private LatencySnapshot? LatencyOf(CameraFacts facts)
    {
        long all = facts.Latency.Sum();
        if (all < _frames)
        {
            // The camera was started anew, and counts from the beginning.
            _looks = 0;
        }

        _frames = all;
        if (all == 0)
        {
            return null;
        }

        // A run of less than a minute is taken as a whole.
        uint[]? before = _looks < Past ? null : _counts[_looks % Past];
        Span<long> counts = stackalloc long[LatencyHistogram.BucketCount];
        long frames = 0;
        for (int bucket = 0; bucket < counts.Length; bucket++)
        {
            counts[bucket] = unchecked((uint)facts.Latency[bucket] - (before is null ? 0 : before[bucket]));
            frames += counts[bucket];
        }

        return frames == 0
            ? null
            : new LatencySnapshot(
                frames, LatencyHistogram.Percentile(counts, 0.5)!.Value, LatencyHistogram.Percentile(counts, 0.95)!.Value, LatencyHistogram.Percentile(counts, 0.99)!.Value);
    }
}
