using CuFrames.Client;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>
/// Publishes stamped packets. Says "ready", with --start-on-go waits for the command "go", publishes --packets or until the ring of bytes was gone
/// round --wraps times, or at --fps until "exit"; then says "done". Commands: "stats", "exit".
/// </summary>
internal static class PacketPublishCommand
{
    public static int Run(PeerArguments arguments)
    {
        int largest = arguments.Number("largest", 2000);
        long capacity = arguments.Number("bytes", 65536);
        using PacketPublisher publisher = PacketPublisher.Create(arguments.Required("key"), new PacketPublisherOptions
        {
            Directory = arguments.Required("dir"),
            ByteCapacity = capacity,
            MaxPackets = arguments.Number("max-packets", 1024),
        });
        StampedPackets.AddTracks(publisher);
        PeerArguments.Say(new { kind = "ready" });
        if (arguments.Number("start-on-go", 0) != 0 && !PublishCommand.WaitForGo(arguments))
        {
            return 0;
        }

        bool isExiting = false;
        Thread commands = new(() =>
        {
            while (Console.ReadLine() is { } command && command != "exit")
            {
                if (command == "stats")
                {
                    PeerArguments.Say(new { kind = "stats", statistics = publisher.GetStatistics() });
                }
            }

            Volatile.Write(ref isExiting, true);
        })
        { IsBackground = true };
        commands.Start();
        byte[] buffer = new byte[largest];
        ulong last = (ulong)arguments.Number("packets", int.MaxValue);
        long wanted = arguments.Number("wraps", int.MaxValue) * capacity;
        int pause = arguments.Number("fps", 0) is > 0 and var rate ? 1000 / rate : 0;
        long bytes = 0;
        while (publisher.Head < last && bytes < wanted && !Volatile.Read(ref isExiting))
        {
            ulong sequence = StampedPackets.Publish(publisher, buffer);

            // Padding at the ring's end and zeros between packets go round too; they are left out: these are the wraps at least.
            bytes += StampedPackets.SizeOf(sequence, largest);
            if (pause > 0)
            {
                // The rate that was asked for.
                Thread.Sleep(pause);
            }
        }

        PeerArguments.Say(new { kind = "done", published = publisher.Head, wraps = bytes / capacity });
        commands.Join();
        return 0;
    }
}
