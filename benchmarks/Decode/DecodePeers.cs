using CuFrames.Benchmarks.Running;
using CuFrames.Client;

namespace CuFrames.Benchmarks.Decode;

/// <summary>One process that reads all streams of the daemon, a thread for each, and takes every newest frame.</summary>
internal static class DecodePeers
{
    /// <summary>Arguments: directory, keys.</summary>
    public static void Read(string[] arguments)
    {
        using CancellationTokenSource end = new();
        Thread[] threads = [.. arguments[1..].Select(key => new Thread(() => Read(key, arguments[0], end.Token)))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        PeerLink.Say("READY");
        PeerLink.WaitFor("END");
        end.Cancel();
        foreach (Thread thread in threads)
        {
            thread.Join();
        }
    }

    private static void Read(string key, string directory, CancellationToken end)
    {
        using FrameSubscriber subscriber = FrameSubscriber.Connect(key, new SubscriberOptions { Directory = directory });
        while (!end.IsCancellationRequested)
        {
            if (subscriber.TryNext(TimeSpan.FromSeconds(1), out Frame frame))
            {
                frame.Dispose();
            }
        }
    }
}
