using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>
/// Reads a stream and checks every byte of every frame, twice: when it is taken and before it is released. Says "connected" at the first
/// frame, "fault" at the first that is not as it should be, "torn" at the first whose content is wrong, with --take-and-hold "holding" when it
/// holds as many as asked for. Frames in device memory are checked in copies: <see cref="DeviceReading"/>. Commands: "finish" (reads on until
/// nothing comes, then says "summary"), "exit".
/// </summary>
internal static class ReadCommand
{
    public static int Run(PeerArguments arguments)
    {
        OtherUser.BecomeIfAsked(arguments);
        if (arguments.Number("wait", 0) != 0 && !PublishCommand.WaitForGo(arguments))
        {
            return 0;
        }

        int leases = arguments.Number("leases", 2);
        using FrameSubscriber subscriber = FrameSubscriber.Connect(arguments.Required("key"), new SubscriberOptions
        {
            Directory = arguments.Required("dir"),
            Delivery = arguments.Delivery(),
            Leases = leases,
            Fences = arguments.Fences(),
            Program = arguments.Text("program"),
            WaitForStream = true,
        });
        PeerArguments.Say(new { kind = "ready", facts = OtherUser.Facts() });
        if (arguments.Number("take-and-hold", 0) is var count and > 0)
        {
            return TakeAndHold(subscriber, arguments, count);
        }

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
        List<string> violations = [];
        FrameChecker checker = ReadAll(subscriber, arguments, leases, violations, ref isFinishing, ref isExiting);
        PeerArguments.Say(new
        {
            kind = "summary",
            frames = checker.Frames,
            missed = checker.Missed,
            torn = checker.Torn,
            lost = checker.Lost,
            repeated = checker.Repeated,
            outOfOrder = checker.OutOfOrder,
            missedWrong = checker.MissedWrong,
            epochs = checker.Epochs,
            last = checker.Last,
            taken = subscriber.Taken,
            ownMissed = subscriber.Missed,
            evictions = subscriber.Evictions,
            reconnects = subscriber.Reconnects,
            faults = checker.Faults,
            violations,
        });
        commands.Join();
        return 0;
    }

    private static FrameChecker ReadAll(
        FrameSubscriber subscriber, PeerArguments arguments, int leases, List<string> violations, ref bool isFinishing, ref bool isExiting)
    {
        FrameChecker checker = new();
        TimeSpan dwell = TimeSpan.FromMicroseconds(arguments.Number("dwell-us", 0));
        int held = arguments.Number("hold", 1);
        Queue<Frame> frames = new();
        DeviceReading? device = null;
        bool isFirst = true;
        bool hasSaidTorn = false;
        while (!Volatile.Read(ref isExiting))
        {
            while (frames.Count >= Math.Min(held, leases))
            {
                Release(checker, frames);
            }

            device?.ReleaseDownTo(Math.Min(held, leases) - 1);

            Frame frame;
            bool hasFrame;
            try
            {
                hasFrame = subscriber.TryNext(TimeSpan.FromMilliseconds(300), out frame);
            }
            catch (ProtocolException error)
            {
                // The next call connects again.
                violations.Add(error.Message);
                PeerArguments.Say(new { kind = "fault", error.Message });
                continue;
            }

            if (!hasFrame)
            {
                if (Volatile.Read(ref isFinishing))
                {
                    break;
                }

                continue;
            }

            if (isFirst)
            {
                isFirst = false;
                PeerArguments.Say(new { kind = "connected" });
            }

            bool wasClean = checker.IsClean;
            if (frame.Memory == MemoryDomain.Cuda)
            {
                device ??= new DeviceReading(subscriber, checker, arguments);
                device.Take(frame, dwell);
            }
            else
            {
                checker.Take(frame, dwell);
                frames.Enqueue(frame);
            }

            if (wasClean && !checker.IsClean)
            {
                // Said at once, because this process may be killed before it can say its summary.
                PeerArguments.Say(new { kind = "fault", checker.Faults });
            }

            if (checker.Torn > 0 && !hasSaidTorn)
            {
                hasSaidTorn = true;
                PeerArguments.Say(new { kind = "torn", checker.Torn });
            }
        }

        while (frames.Count > 0)
        {
            Release(checker, frames);
        }

        device?.ReleaseAll();
        device?.Dispose();
        return checker;
    }

    private static void Release(FrameChecker checker, Queue<Frame> frames)
    {
        using Frame frame = frames.Dequeue();
        checker.Verify(frame);
    }

    private static int TakeAndHold(FrameSubscriber subscriber, PeerArguments arguments, int count)
    {
        FrameChecker checker = new();
        DeviceReading? device = null;
        for (int i = 0; i < count; i++)
        {
            Frame frame = subscriber.Next(TimeSpan.FromSeconds(60));
            if (frame.Memory == MemoryDomain.Cuda)
            {
                device ??= new DeviceReading(subscriber, checker, arguments);
                device.Take(frame);
                device.VerifyAll();
            }
            else
            {
                checker.Take(frame);
            }
        }

        PeerArguments.Say(new { kind = "holding", held = subscriber.HeldFrames, isClean = checker.IsClean });
        while (Console.ReadLine() is { } command && command != "exit")
        {
        }

        return 0;
    }
}
