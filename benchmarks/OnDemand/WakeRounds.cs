using System.Globalization;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;

namespace CuFrames.Benchmarks.OnDemand;

/// <summary>Lets a reader come to cameras that decode on demand, and each time to one that always decodes.</summary>
/// <param name="directory">Where the streams are.</param>
/// <param name="onDemand">Keys of cameras that decode on demand.</param>
/// <param name="always">Key of the one that always decodes.</param>
/// <param name="reader">A <see cref="FirstFrameReader"/>.</param>
internal sealed class WakeRounds(string directory, IReadOnlyList<string> onDemand, string always, Peer reader)
{
    /// <summary>What the state of a camera that decodes nothing begins with (docs/configuration.md).</summary>
    public const string IdleText = "idle: decoded when somebody reads it";

    private const int WarmingUp = 4;

    // More than the time after which a camera that nobody reads stops to decode (5 s), on a machine that may be busy.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // Any value does: the reader's comings are to be alike from run to run, and not in step with the key frames.
    private readonly Random _random = new(7);

    /// <summary>Waits until no camera decodes but the one that always does.</summary>
    public void WaitUntilIdle()
    {
        foreach (string key in onDemand)
        {
            WaitUntilIdle(key);
        }
    }

    /// <summary>Reads so often that the reader's code is compiled.</summary>
    public void WarmUp()
    {
        for (int i = 0; i < WarmingUp; i++)
        {
            Read(onDemand[i % onDemand.Count], isOnDemand: true);
            Read(always, isOnDemand: false);
        }
    }

    /// <summary>Takes samples, a pair for each coming; the reader comes at any time within the pace, so at any time between two key frames.</summary>
    /// <param name="count">How many pairs.</param>
    /// <param name="pace">From the beginning of one to that of the next, if the camera is idle by then.</param>
    public IEnumerable<WakeSample> Take(int count, TimeSpan pace)
    {
        long begin = Environment.TickCount64;
        for (int i = 0; i < count; i++)
        {
            string key = onDemand[i % onDemand.Count];
            double due = begin + ((i + _random.NextDouble()) * pace.TotalMilliseconds);
            Thread.Sleep((int)Math.Max(0, due - Environment.TickCount64));
            WaitUntilIdle(key);
            yield return Read(key, isOnDemand: true);
            yield return Read(always, isOnDemand: false);
        }
    }

    private void WaitUntilIdle(string key)
    {
        long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        StreamInfo info;
        while (!(info = StreamDirectory.Probe(key, directory)).StateText.StartsWith(IdleText, StringComparison.Ordinal))
        {
            if (Environment.TickCount64 > end)
            {
                throw new InvalidOperationException($"The camera {key} does not become idle: {info.Description?.State} {info.StateText} {info.Error}");
            }

            // There is no event for a state that one has to ask for.
            Thread.Sleep(20);
        }
    }

    private WakeSample Read(string key, bool isOnDemand)
    {
        reader.Send("READ " + key);
        long[] times = [.. reader.Expect("FIRST").Select(word => long.Parse(word, CultureInfo.InvariantCulture))];
        return new WakeSample(isOnDemand, key, times[0], times[1], times[2]);
    }
}
