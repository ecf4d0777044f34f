using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Demo.Internal;

/// <summary>A process that takes as many frames as it may hold and never lets go of them: the one that is killed.</summary>
internal static class Holder
{
    private const int WantedLeases = 8;
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    public static Command CreateCommand()
    {
        Argument<string> key = Options.Key();
        Command command = new("holder") { key };
        command.Hidden = true;
        command.SetAction(parse => Run(parse.GetRequiredValue(key)));
        return command;
    }

    private static int Run(string key)
    {
        using ManualResetEventSlim stopped = EndOfInput.Watch();
        using FrameSubscriber subscriber = FrameSubscriber.Connect(
            key, new SubscriberOptions { Delivery = Delivery.InOrder, Leases = WantedLeases, Program = "demo holder" });
        while (subscriber.HeldFrames < subscriber.GrantedLeases)
        {
            // Not released, on purpose.
            _ = subscriber.Next(LongestWait);
        }

        Console.Out.WriteLine($"{subscriber.HeldFrames}");
        stopped.Wait();
        return ExitCode.Success;
    }
}
