using System.Globalization;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Gpu.Reclaim;

/// <summary>A GPU reader that, when it is told to, takes its full quota of frames and holds it until it is killed.</summary>
internal static class HoldingReader
{
    /// <summary>Arguments: key, directory, frames to hold.</summary>
    public static void Run(string[] arguments)
    {
        int quota = int.Parse(arguments[2], CultureInfo.InvariantCulture);
        using FrameSubscriber subscriber = FrameSubscriber.Connect(
            arguments[0], new SubscriberOptions { Directory = arguments[1], Delivery = Delivery.InOrder, Leases = quota });
        PeerLink.Say($"READY {subscriber.GrantedLeases}");
        PeerLink.WaitFor("GO");
        for (int i = 0; i < quota; i++)
        {
            Frame frame = subscriber.Next(TimeSpan.FromSeconds(30));

            // It is in device memory and mapped here, which is what the kill has to undo.
            _ = frame.DevicePlane(0);
            PeerLink.Say("HELD");
        }

        PeerLink.WaitFor("END");
    }
}
