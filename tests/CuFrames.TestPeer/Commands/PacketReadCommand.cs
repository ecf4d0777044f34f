using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>Reads stamped packets and checks every byte and field of each. Says "ready", and "connected" at the first packet. Commands: "finish" (reads
/// on until nothing comes, then says "summary"), "exit".</summary>
internal static class PacketReadCommand
{
    public static int Run(PeerArguments arguments)
    {
        using PacketSubscriber subscriber = PacketSubscriber.Connect(arguments.Required("key"), new PacketSubscriberOptions
        {
            Directory = arguments.Required("dir"),
            Program = arguments.Text("program"),
            WaitForStream = true,
        });
        PeerArguments.Say(new { kind = "ready" });
        bool isFinishing = false;
        bool isExiting = false;
        Thread commands = new(() =>
        {
            while (Console.ReadLine() is { } command && command != "exit")
            {
                Volatile.Write(ref isFinishing, command == "finish");
            }

            Volatile.Write(ref isExiting, true);
        })
        { IsBackground = true };
        commands.Start();
        PacketChecker checker = new(subscriber, arguments.Number("largest", 2000));
        TimeSpan dwell = TimeSpan.FromMicroseconds(arguments.Number("dwell-us", 0));
        bool isFirst = true;
        bool wasClean = true;
        while (!Volatile.Read(ref isExiting))
        {
            Packet packet;
            bool hasPacket;
            try
            {
                hasPacket = subscriber.TryNext(TimeSpan.FromMilliseconds(300), out packet);
            }
            catch (ProtocolException error)
            {
                // The next call connects again.
                PeerArguments.Say(new { kind = "fault", error.Message });
                continue;
            }

            if (!hasPacket)
            {
                if (Volatile.Read(ref isFinishing))
                {
                    break;
                }

                continue;
            }

            checker.Take(packet, dwell);
            if (isFirst)
            {
                isFirst = false;
                PeerArguments.Say(new { kind = "connected" });
            }

            if (wasClean && !checker.IsClean)
            {
                // Said at once, because this process may be killed before it can say its summary.
                wasClean = false;
                PeerArguments.Say(new { kind = "fault", checker.Faults });
            }
        }

        PeerArguments.Say(new
        {
            kind = "summary",
            checker.Whole,
            checker.Overwritten,
            checker.Missed,
            checker.Gaps,
            checker.First,
            checker.Last,
            checker.Epochs,
            checker.Faults,
            subscriber.Taken,
            ownMissed = subscriber.Missed,
            missedOn = (ulong[])[subscriber.MissedOn(0), subscriber.MissedOn(1)],
            subscriber.Reconnects,
        });
        commands.Join();
        return 0;
    }
}
