using CuFrames.Daemon.Internal.Taps;

namespace CuFrames.Daemon.Internal;

/// <summary>
/// One camera of the configuration, kept running: in this process or in a worker of its own. Only the control thread uses it. Whoever wants to know or
/// change something of a camera asks here, and need not know where it runs.
/// </summary>
/// <param name="configuration">What to run.</param>
/// <param name="directory">The runtime directory.</param>
internal abstract class Camera(CameraConfiguration configuration, string directory)
{
    /// <summary><see cref="Concern"/> of a camera that could not take its key.</summary>
    internal const string NotAvailable = "not available";

    internal CameraConfiguration Configuration { get; } = configuration;

    /// <summary>The runtime directory that it publishes in.</summary>
    internal string Directory { get; } = directory;

    /// <summary>Why it is not live, in two words; null if it is.</summary>
    internal virtual string? Concern => Facts.Concern;

    /// <summary>State, streams, figures and readers. Of a camera in this process those of now; of one in a worker what it said last, half a second ago at most.</summary>
    internal abstract CameraFacts Facts { get; }

    /// <summary>The streams of it that are published now, for taps.</summary>
    internal abstract IEnumerable<TapStream> TapStreams { get; }

    /// <summary>When <see cref="Advance"/> has something to do next, CLOCK_MONOTONIC in nanoseconds.</summary>
    internal abstract long NextDue { get; }

    /// <summary>Disconnects a reader.</summary>
    /// <param name="stream">Key of the stream.</param>
    /// <param name="readsPackets">Whether it reads packets; else frames.</param>
    /// <param name="id">Its number in this run of the stream.</param>
    /// <param name="reason">What it is told.</param>
    /// <returns>Whether there was one. The answer may come on another thread.</returns>
    internal abstract Task<bool> EvictAsync(string stream, bool readsPackets, ulong id, string reason);

    /// <summary>Whether a run should begin now.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal abstract bool IsDue(long now);

    /// <summary>Leaves the source to another camera's last run for a while.</summary>
    /// <param name="previous">That run, which was stopped; null: there is none.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal abstract void Follow(IEndingRun? previous, long now);

    /// <summary>Does what is due: takes the key, starts what reads the camera.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    /// <returns>The run that was stopped, if the camera is started again.</returns>
    internal abstract IEndingRun? Advance(long now);

    /// <summary>Makes the renditions those of another configuration that is the same otherwise. The others are not touched.</summary>
    /// <param name="wanted">The renditions.</param>
    /// <param name="added">Keys of new ones are added here.</param>
    /// <param name="changed">Keys of those that differ are added here.</param>
    /// <param name="removed">Keys of those that are gone are added here.</param>
    internal abstract void SetRenditions(IReadOnlyList<RenditionConfiguration> wanted, List<string> added, List<string> changed, List<string> removed);

    /// <summary>Puts the next attempt off for a second.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal abstract void Postpone(long now);

    /// <summary>Starts the stream anew if its socket is gone.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    /// <returns>The run that was stopped, if so.</returns>
    internal abstract IEndingRun? CheckSocket(long now);

    /// <summary>Ends the stream.</summary>
    /// <returns>The run, to be disposed of when it has ended; null if there was none.</returns>
    internal abstract IEndingRun? Stop();
}
