using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Demo.Internal;

/// <summary>A reading process: takes frames, checks all of each one's content when it takes it and again before it lets go of it.</summary>
internal static class Reader
{
    private const long ReportInterval = 250_000_000;
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(100);

    public static Command CreateCommand()
    {
        Argument<string> key = Options.Key();
        Option<string> delivery = Options.Delivery();
        Option<int> hold = Options.Number("--hold", "Milliseconds for which each frame is held.", standard: 0, least: 0, most: 60_000);
        Option<string?> pictures = new("--pictures") { Description = "File with the hashes of all pictures that may come. Without it: the test pattern." };
        Command command = new("reader") { key, delivery, hold, pictures };
        command.Hidden = true;
        command.SetAction(parse => Run(
            parse.GetRequiredValue(key), Options.DeliveryOf(parse.GetRequiredValue(delivery)), parse.GetValue(hold), parse.GetValue(pictures)));
        return command;
    }

    private static int Run(string key, Delivery delivery, int hold, string? pictures)
    {
        using ManualResetEventSlim stopped = EndOfInput.Watch();
        IContentCheck check = pictures is null ? new PatternCheck() : new PictureCheck(pictures);
        LatencyHistogram latency = new();
        long torn = 0;
        long damaged = 0;
        using FrameSubscriber subscriber = FrameSubscriber.Connect(key, new SubscriberOptions { Delivery = delivery, Program = "demo reader" });
        void Report() => JsonLine.Write(new ReaderReport(
            (long)subscriber.Taken, subscriber.Missed, torn, Math.Round(latency.Percentile(0.5) / 1000.0, 1), Math.Round(latency.Percentile(0.99) / 1000.0, 1), damaged));
        long nextReport = 0;
        while (!stopped.IsSet)
        {
            if (subscriber.TryNext(LongestWait, out Frame frame))
            {
                latency.Add(MonotonicClock.NowNanoseconds - frame.Metadata.PublishTime);
                using (frame)
                {
                    bool isDamaged = (frame.Metadata.Flags & FrameFlags.Corrupt) != 0;
                    damaged += isDamaged ? 1 : 0;
                    string? fault = Inspect(check, frame, isDamaged, () => stopped.Wait(hold));
                    if (fault is not null)
                    {
                        torn++;
                        Console.Error.WriteLine($"frame {frame.Sequence} of {key}: {fault}");
                    }
                }
            }

            if (MonotonicClock.NowNanoseconds >= nextReport)
            {
                Report();
                nextReport = MonotonicClock.NowNanoseconds + ReportInterval;
            }
        }

        Report();
        return ExitCode.Success;
    }

    /// <summary>Checks a frame, holds it, and checks it again.</summary>
    private static string? Inspect(IContentCheck check, Frame frame, bool isDamaged, Action hold)
    {
        try
        {
            string? fault = check.FindFault(frame, isDamaged);
            hold();
            return fault ?? check.FindChange(frame);
        }
        catch (FrameLostException error)
        {
            // The slot holds another frame: it was written while our lease was on it.
            return error.Message;
        }
    }
}
