using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>
/// Publishes stamped frames. Says "ready" when the stream is there, "progress" every few seconds and "done" when the frames or wraps asked for were
/// published. Commands: "go" (with --wait 1 before the stream is made, with --start-on-go 1 before the first frame), "stats", "exit".
/// </summary>
internal static class PublishCommand
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(5);

    public static int Run(PeerArguments arguments)
    {
        OtherUser.BecomeIfAsked(arguments);
        if (arguments.Number("wait", 0) != 0 && !WaitForGo(arguments))
        {
            return 0;
        }

        StreamFormat[] formats = arguments.Formats();
        ConcurrentQueue<string> evictions = new();
        using FramePublisher publisher = arguments.OpenPublisher(happened =>
        {
            if (happened.Kind is PublisherEventKind.SubscriberEvicted or PublisherEventKind.InternalError)
            {
                evictions.Enqueue($"{happened.Code} {happened.Text}");
            }
        });
        using DevicePublisher? device = publisher.Memory == MemoryDomain.Cuda ? new DevicePublisher(publisher) { Busy = TimeSpan.FromMicroseconds(arguments.Number("busy-us", 0)) } : null;
        bool isStopped = false;
        using ManualResetEventSlim start = new(arguments.Number("start-on-go", 0) == 0);
        Thread commands = new(() =>
        {
            while (Console.ReadLine() is { } command && command != "exit")
            {
                if (command == "go")
                {
                    start.Set();
                }
                else if (command == "stats")
                {
                    PublisherStatistics statistics = publisher.GetStatistics();
                    PeerArguments.Say(new { kind = "stats", statistics, evictions });
                }
            }

            Volatile.Write(ref isStopped, true);
            start.Set();
        })
        { IsBackground = true };
        PeerArguments.Say(new { kind = "ready", epoch = publisher.Epoch.ToString(CultureInfo.InvariantCulture), facts = OtherUser.Facts() });
        commands.Start();
        start.Wait();
        PublishAll(publisher, device, formats, arguments, ref isStopped);
        commands.Join();
        return 0;
    }

    private static void PublishAll(
        FramePublisher publisher, DevicePublisher? device, StreamFormat[] formats, PeerArguments arguments, ref bool isStopped)
    {
        const int batch = 1000;
        long frames = arguments.Number("frames", int.MaxValue);
        double wraps = arguments.Number("wraps", int.MaxValue);
        int cycle = arguments.Number("cycle-every", int.MaxValue);
        int rate = arguments.Number("fps", 0);
        Stopwatch watch = Stopwatch.StartNew();
        long published = 0;
        long attempts = 0;
        int format = 0;
        int changes = 0;
        int refusedChanges = 0;
        double wrapped = 0;
        Stopwatch untold = Stopwatch.StartNew();
        PublishTimes times = new();
        while (published < frames && wrapped < wraps && !Volatile.Read(ref isStopped))
        {
            attempts++;
            bool isPublished = device is null ? StampedFrames.TryPublish(publisher) : device.TryPublish();
            if (device is not null)
            {
                times.Add(device.LastTicks);
            }

            if (isPublished)
            {
                published++;
                if (published % cycle == 0)
                {
                    format = (format + 1) % formats.Length;
                    try
                    {
                        publisher.Configure(formats[format]);
                        changes++;
                    }
                    catch (CuFramesException error) when (error.Code == ErrorCode.OutOfResources)
                    {
                        // Stopped readers have yet to give old segments back; the old format goes on.
                        refusedChanges++;
                    }
                }

                if (published % batch == 0)
                {
                    wrapped += (double)batch / publisher.GetStatistics().Slots;
                    if (untold.Elapsed > ProgressInterval)
                    {
                        PeerArguments.Say(new { kind = "progress", published, wraps = wrapped });
                        untold.Restart();
                    }
                }
            }

            if (rate > 0)
            {
                long due = attempts * Stopwatch.Frequency / rate;
                long left = (due - watch.ElapsedTicks) * 1000 / Stopwatch.Frequency;
                if (left > 0)
                {
                    // The frame rate that was asked for.
                    Thread.Sleep((int)left);
                }
            }
        }

        PublisherStatistics statistics = publisher.GetStatistics();
        PeerArguments.Say(new
        {
            kind = "done",
            published,
            attempts,
            changes,
            refusedChanges,
            wraps = wrapped,
            seconds = watch.Elapsed.TotalSeconds,
            statistics,
            publishMicroseconds = new { p50 = times.Quantile(0.5), p90 = times.Quantile(0.9), p99 = times.Quantile(0.99), p999 = times.Quantile(0.999), worst = times.WorstMicroseconds },
        });
    }

    /// <summary>Gets everything ready, says "waiting" and waits for "go".</summary>
    public static bool WaitForGo(PeerArguments arguments)
    {
        // What the first frame needs is loaded and compiled now, so that "go" takes effect at once.
        OtherUser.Rehearse(arguments.Memory() != FrameMemory.Host);
        PeerArguments.Say(new { kind = "waiting" });
        return Console.ReadLine() == "go";
    }
}
