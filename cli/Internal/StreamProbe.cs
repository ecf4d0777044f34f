using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>A stream's description and when it was given, CLOCK_MONOTONIC in nanoseconds.</summary>
internal sealed record StreamProbe(StreamInfo Info, long Time)
{
    /// <summary>Asks all streams of the runtime directory at once, so that one that hangs delays the others by nothing. Sorted by key.</summary>
    /// <exception cref="StreamUnavailableException">The directory does not exist or may not be read.</exception>
    public static IReadOnlyList<StreamProbe> AskAll() => Ask(StreamDirectory.Keys());

    /// <summary>Asks some streams at once. Those of dead publishers are left out.</summary>
    public static IReadOnlyList<StreamProbe> Ask(IEnumerable<string> keys)
    {
        Task<StreamProbe>[] tasks = [.. keys.Select(key => Task.Factory.StartNew(() => Ask(key), TaskCreationOptions.LongRunning))];
        return [.. tasks.Select(task => task.GetAwaiter().GetResult()).Where(probe => probe.Info.ErrorCode != ErrorCode.StreamNotFound)];
    }

    public static StreamProbe Ask(string key)
    {
        StreamInfo info = StreamDirectory.Probe(key);
        return new StreamProbe(info, MonotonicClock.NowNanoseconds);
    }

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
}
