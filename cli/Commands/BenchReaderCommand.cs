using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Cli.Commands;

/// <summary>A reading process of <see cref="BenchCommand"/>: takes every frame it can until the publisher ends, writes its figures.</summary>
internal static class BenchReaderCommand
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        Command command = new("bench-reader");
        command.Hidden = true;
        command.SetAction(_ => Run());
        return command;
    }

    private static int Run()
    {
        using FrameSubscriber subscriber = FrameSubscriber.Connect(
            BenchPublisherCommand.Key, new SubscriberOptions { Reconnect = false, Program = "cuframes bench" });
        Console.Out.WriteLine("ready");
        LatencyHistogram latency = new();
        try
        {
            while (subscriber.TryNext(LongestWait, out Frame frame))
            {
                long elapsed = MonotonicClock.NowNanoseconds - frame.Metadata.PublishTime;
                if (frame.Sequence > BenchPublisherCommand.WarmUpFrames)
                {
                    latency.Add(elapsed);
                }

                frame.Dispose();
            }
        }
        catch (StreamUnavailableException error) when (error.Code is ErrorCode.ShuttingDown or ErrorCode.Disconnected)
        {
            // The publisher has come to its end: so has the measurement.
        }

        JsonLine.Write(new BenchReader((long)subscriber.Taken, subscriber.Missed, latency.Maximum, latency.ToPairs()));
        return ExitCode.Success;
    }
}
