using System.Globalization;
using CuFrames.Benchmarks.Operate;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Hostile;

/// <summary>A reader of all frames of a test pattern that looks at every sample, and notes how old each frame was when it had it.</summary>
internal static class HostileReader
{
    /// <summary>
    /// Arguments: directory, key, file. Says READY at the first frame. PHASE NAME: what goes on from now on; answered with NOTED. END: writes the file, a line a frame:
    /// phase, microseconds from publish to take, frames missed before it, whether it was wrong.
    /// </summary>
    public static void Run(string[] arguments)
    {
        using CancellationTokenSource end = new();
        using ManualResetEventSlim isReady = new();
        string phase = "start";
        List<string> lines = [];
        Thread thread = new(() => Read(arguments[0], arguments[1], () => Volatile.Read(ref phase), lines, isReady, end.Token));
        thread.Start();
        isReady.Wait();
        PeerLink.Say("READY");
        while (PeerLink.Listen() is ["PHASE", string next])
        {
            Volatile.Write(ref phase, next);
            PeerLink.Say("NOTED");
        }

        end.Cancel();
        thread.Join();
        File.WriteAllLines(arguments[2], lines);
    }

    private static void Read(string directory, string key, Func<string> phase, List<string> lines, ManualResetEventSlim isReady, CancellationToken end)
    {
        using FrameSubscriber subscriber = FrameSubscriber.Connect(key, new SubscriberOptions { Directory = directory, WaitForStream = true, Delivery = Delivery.InOrder });
        TestPattern? pattern = null;
        ulong missed = 0;
        while (!end.IsCancellationRequested)
        {
            if (!subscriber.TryNext(TimeSpan.FromMilliseconds(500), out Frame frame))
            {
                continue;
            }

            using (frame)
            {
                double age = (MonotonicClock.NowNanoseconds - frame.Metadata.PublishTime) / 1e3;
                pattern ??= new TestPattern(frame.PixelFormat, frame.Width, frame.Height);
                int wrong = OperatePeers.FindFault(pattern, frame) is null ? 0 : 1;
                lines.Add(string.Create(CultureInfo.InvariantCulture, $"{phase()},{age:0.0},{subscriber.Missed - missed},{wrong}"));
                missed = subscriber.Missed;
            }

            isReady.Set();
        }
    }
}
