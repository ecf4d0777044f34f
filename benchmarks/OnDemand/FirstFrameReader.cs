using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Interop;

namespace CuFrames.Benchmarks.OnDemand;

/// <summary>A reader that comes, takes frames until one is of after its coming, and goes; again and again.</summary>
internal static class FirstFrameReader
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Arguments: directory. Answers READ KEY with FIRST and three times in nanoseconds: until the first frame was there, how old its picture was then, and
    /// until a frame was there that had arrived after the reader. Ends with END.
    /// </summary>
    public static void Run(string[] arguments)
    {
        PeerLink.Say("READY");
        while (PeerLink.Listen() is ["READ", string key])
        {
            PeerLink.Say("FIRST " + Read(arguments[0], key));
        }
    }

    private static string Read(string directory, string key)
    {
        long begin = MonotonicClock.NowNanoseconds;
        using FrameSubscriber subscriber = FrameSubscriber.Connect(key, new SubscriberOptions { Directory = directory, Reconnect = false });
        long first = 0;
        long age = 0;
        while (true)
        {
            using Frame frame = subscriber.Next(Patience);
            long now = MonotonicClock.NowNanoseconds;
            if (first == 0)
            {
                first = now;
                age = now - frame.Metadata.ArrivalTime;
            }

            if (frame.Metadata.ArrivalTime >= begin)
            {
                return FormattableString.Invariant($"{first - begin} {age} {now - begin}");
            }
        }
    }
}
