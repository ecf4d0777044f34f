using System.Globalization;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Reclaim;

/// <summary>A reader that takes its full quota of frames and holds it until it is killed.</summary>
internal static class ReclaimPeers
{
    /// <summary>Arguments: key, directory, frames to hold.</summary>
    public static void Hold(string[] arguments)
    {
        int quota = int.Parse(arguments[2], CultureInfo.InvariantCulture);
        using FrameSubscriber subscriber = FrameSubscriber.Connect(
            arguments[0], new SubscriberOptions { Directory = arguments[1], Delivery = Delivery.InOrder, Leases = quota });
        PeerLink.Say($"READY {subscriber.GrantedLeases}");
        for (int i = 0; i < quota; i++)
        {
            _ = subscriber.Next(TimeSpan.FromSeconds(30));
            PeerLink.Say("HELD");
        }

        PeerLink.WaitFor("END");
    }
}
