using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>A stream's description and when it was given, CLOCK_MONOTONIC in nanoseconds.</summary>
/// <param name="Info">The frames.</param>
/// <param name="Time">When it was given.</param>
/// <param name="Packets">The packets of the same key; null: they were not asked for.</param>
internal sealed record StreamProbe(StreamInfo Info, long Time, PacketStreamInfo? Packets = null)
{
    /// <summary>How the socket of a key's packets ends (docs/protocol.md 14.1).</summary>
    private const string PacketSocketEnding = "+packets.sock";

    /// <summary>Asks all streams of the runtime directory at once, so that one that hangs delays the others by nothing. Sorted by key.</summary>
    /// <exception cref="StreamUnavailableException">The directory does not exist or may not be read.</exception>
    public static IReadOnlyList<StreamProbe> AskAll() =>
        // A key may have packets and no frames.
        Ask(StreamDirectory.Keys().Union(PacketKeys()).Order(StringComparer.Ordinal));

    /// <summary>Asks some streams at once. Those of dead publishers are left out.</summary>
    public static IReadOnlyList<StreamProbe> Ask(IEnumerable<string> keys)
    {
        Task<StreamProbe>[] tasks = [.. keys.Select(key => Task.Factory.StartNew(() => Ask(key), TaskCreationOptions.LongRunning))];
        return [.. tasks.Select(task => task.GetAwaiter().GetResult()).Where(probe => probe.IsThere)];
    }

    public static StreamProbe Ask(string key) => WithPackets(StreamDirectory.Probe(key));

    /// <summary>Adds the packets of a stream.</summary>
    public static StreamProbe WithPackets(StreamInfo info)
    {
        long time = MonotonicClock.NowNanoseconds;
        return new StreamProbe(info, time, StreamDirectory.ProbePackets(info.Key));
    }

    /// <summary>Whether somebody publishes frames or packets of this key.</summary>
    public bool IsThere => Info.ErrorCode != ErrorCode.StreamNotFound || Packets is { Description: not null };

    /// <summary>Frames per second that were published since an earlier probe; null when it cannot be said.</summary>
    public double? RateSince(StreamProbe? earlier) =>
        PerSecondSince(earlier, description => description.Head);

    /// <summary>How much a counter grew per second since an earlier probe of the same run.</summary>
    public double? PerSecondSince(StreamProbe? earlier, Func<StreamDescription, ulong> counter)
    {
        if (earlier?.Info.Description is not { } before || Info.Description is not { } now || earlier.Info.Epoch != Info.Epoch || Time <= earlier.Time)
        {
            return null;
        }

        return Math.Round((counter(now) - counter(before)) / ((Time - earlier.Time) / 1e9), 1);
    }

    private static IEnumerable<string> PacketKeys() =>
        Directory.EnumerateFiles(StreamDirectory.RuntimeDirectory, "*" + PacketSocketEnding)
            .Select(path => Path.GetFileName(path)[..^PacketSocketEnding.Length])
            .Where(StreamKey.IsValid);
}
