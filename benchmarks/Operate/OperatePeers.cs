using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Operate;

/// <summary>A process with a subscriber for each camera, which looks at every sample of every frame.</summary>
internal static class OperatePeers
{
    // A tenth of the time between two frames: one thread looks after all subscribers.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Arguments: directory, then the keys. Says READY when each subscriber has had a frame. Answers MARK with STATE and the frames that were right, those
    /// that were not, those that were missed, those that came again or out of order, and how often a stream was lost. Ends with END.
    /// </summary>
    public static void Read(string[] arguments)
    {
        using CancellationTokenSource end = new();
        using ManualResetEventSlim isReady = new();
        Counts counts = new();
        Thread thread = new(() => Read(arguments[0], arguments[1..], counts, isReady, end.Token));
        thread.Start();
        isReady.Wait();
        PeerLink.Say("READY");
        while (PeerLink.Listen() is ["MARK"])
        {
            lock (counts)
            {
                PeerLink.Say(string.Create(CultureInfo.InvariantCulture, $"STATE {counts.Right} {counts.Wrong} {counts.Missed} {counts.Disordered} {counts.Lost} {counts.Fault}"));
            }
        }

        end.Cancel();
        thread.Join();
    }

    private static void Read(string directory, string[] keys, Counts counts, ManualResetEventSlim isReady, CancellationToken end)
    {
        SubscriberOptions options = new() { Directory = directory, WaitForStream = true, Delivery = Delivery.InOrder };
        FrameSubscriber[] subscribers = [.. keys.Select(key => FrameSubscriber.Connect(key, options))];
        ulong[] last = new ulong[keys.Length];
        ulong[] epochs = new ulong[keys.Length];
        TestPattern? pattern = null;
        while (!end.IsCancellationRequested)
        {
            lock (counts)
            {
                for (int i = 0; i < subscribers.Length; i++)
                {
                    while (subscribers[i].TryNext(TimeSpan.Zero, out Frame frame))
                    {
                        using (frame)
                        {
                            pattern ??= new TestPattern(frame.PixelFormat, frame.Width, frame.Height);
                            string? fault = FindFault(pattern, frame);
                            counts.Right += fault is null ? 1 : 0;
                            counts.Wrong += fault is null ? 0 : 1;
                            counts.Fault = counts.Fault.Length > 0 || fault is null ? counts.Fault : $"{keys[i]}: {fault}";
                            bool isNext = frame.Epoch != epochs[i] || frame.Sequence > last[i];
                            counts.Disordered += isNext ? 0 : 1;
                            (epochs[i], last[i]) = (frame.Epoch, frame.Sequence);
                        }
                    }
                }

                counts.Missed = subscribers.Sum(subscriber => (long)subscriber.Missed);
                counts.Lost = subscribers.Sum(subscriber => subscriber.Reconnects + subscriber.Evictions);
            }

            if (!isReady.IsSet && Array.TrueForAll(last, sequence => sequence > 0))
            {
                isReady.Set();
            }

            // Frames come five times a second; nobody is woken for each, because 100 subscribers share this thread.
            Thread.Sleep(Pause);
        }

        Array.ForEach(subscribers, subscriber => subscriber.Dispose());
    }

    /// <summary>Compares every sample of a frame with the built-in picture of its number.</summary>
    /// <returns>Null: it is whole and right.</returns>
    internal static unsafe string? FindFault(TestPattern pattern, Frame frame)
    {
        if ((frame.PixelFormat, frame.Width, frame.Height) != (pattern.Format, pattern.Width, pattern.Height))
        {
            return $"a frame of {PixelFormats.Name(frame.PixelFormat)} {frame.Width}x{frame.Height} came";
        }

        Span<PicturePlane> planes = stackalloc PicturePlane[frame.PlaneCount];
        for (int plane = 0; plane < planes.Length; plane++)
        {
            FramePlane memory = frame.Plane(plane);
            // A frame lies in mapped memory, which does not move.
            planes[plane] = new PicturePlane((nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(memory.Row(0))), (nuint)memory.Pitch);
        }

        bool isRight = pattern.Verify(planes, (long)frame.Metadata.SourcePacket - 1, out string? difference);
        return isRight && frame.IsValid ? null : difference ?? "the frame was lost while it was held";
    }

    /// <summary>What the subscribers of a process have seen. Locked while it is written and read.</summary>
    private sealed class Counts
    {
        public long Right { get; set; }

        public long Wrong { get; set; }

        public long Missed { get; set; }

        public long Disordered { get; set; }

        public long Lost { get; set; }

        /// <summary>The first fault.</summary>
        public string Fault { get; set; } = "";
    }
}
