using System.Globalization;
using CuFrames.TestPeer;
using CuFrames.TestPeer.Commands;

switch (args)
{
    case ["publish", .. var options]:
        return PublishCommand.Run(new PeerArguments(options));
    case ["read", .. var options]:
        return ReadCommand.Run(new PeerArguments(options));
    case ["subscriber", .. var options]:
        return SubscriberCommand.Run(new PeerArguments(options));
    case ["publisher", .. var options]:
        return PublisherCommand.Run(new PeerArguments(options));
    case ["device", .. var options]:
        return DeviceCommand.Run(new PeerArguments(options));
    case ["allocations", .. var options]:
        return await AllocationsCommand.Run(new PeerArguments(options));
    case ["packet-publish", .. var options]:
        return PacketPublishCommand.Run(new PeerArguments(options));
    case ["packet-read", .. var options]:
        return PacketReadCommand.Run(new PeerArguments(options));
    case ["packet-allocations", .. var options]:
        return PacketAllocationsCommand.Run(new PeerArguments(options));
    case ["conform-publisher", var key]:
        return ConformPublisherCommand.Run(key, null);
    case ["conform-publisher", var key, "--rests"]:
        return ConformPublisherCommand.Run(key, null, rests: true);
    case ["conform-publisher", var key, "--format-change-ms", var delay]:
        return ConformPublisherCommand.Run(key, int.Parse(delay, CultureInfo.InvariantCulture));
    case ["conform-subscriber", var key]:
        return ConformSubscriberCommand.Run(key);
    case ["conform-packet-subscriber", var key]:
        return ConformPacketSubscriberCommand.Run(key);
    default:
        Console.Error.WriteLine("usage: CuFrames.TestPeer publish|read|publisher|subscriber|device|allocations|packet-publish|packet-read|packet-allocations --option value ... | " +
            "conform-publisher KEY [--format-change-ms N | --rests] | conform-subscriber KEY | conform-packet-subscriber KEY");
        return 64;
}
