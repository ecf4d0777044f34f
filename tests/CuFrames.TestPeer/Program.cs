using System.Globalization;
using CuFrames.TestPeer.Commands;

switch (args)
{
    case ["conform-publisher", var key]:
        return ConformPublisherCommand.Run(key, null);
    case ["conform-publisher", var key, "--format-change-ms", var delay]:
        return ConformPublisherCommand.Run(key, int.Parse(delay, CultureInfo.InvariantCulture));
    case ["conform-subscriber", var key]:
        return ConformSubscriberCommand.Run(key);
    default:
        Console.Error.WriteLine("usage: CuFrames.TestPeer conform-publisher KEY [--format-change-ms N] | conform-subscriber KEY");
        return 64;
}
