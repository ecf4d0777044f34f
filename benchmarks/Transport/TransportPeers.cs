using System.Globalization;
using CuFrames.Benchmarks.Running;
using CuFrames.Interop;

namespace CuFrames.Benchmarks.Transport;

/// <summary>The producer and the readers. Each tells the CPU time of its whole process between two frame numbers.</summary>
internal static class TransportPeers
{
    public const string CuFrames = "cuframes";
    public const string Pipe = "pipe";
    public const string GStreamer = "gstreamer";

    // Frames for warming up go as fast as they can for this long: the compiler works on a loop several times, at intervals of 100 ms.
    private const long WarmUpNanoseconds = 2_000_000_000;

    // Number of the first frame that counts, and how many frames of the same pace go before it.
    private const long First = 1L << 40;
    private const int Settling = 25;

    /// <summary>Arguments: transport, directory, readers, frames, frames per second (0: as many as possible).</summary>
    public static unsafe void Write(string[] arguments)
    {
        int readers = Number(arguments[2]);
        int frames = Number(arguments[3]);
        int rate = Number(arguments[4]);
        using TestFrames source = new();
        if (arguments[0] == Pipe)
        {
            // Its readers wait in open, so they cannot say that they are ready before we are there.
            PeerLink.Say("READY");
        }

        using ITransportWriter writer = arguments[0] switch
        {
            CuFrames => new CuFramesTransport.Writer(arguments[1]),
            Pipe => new PipeTransport.Writer(arguments[1], readers),
            _ => new GStreamerTransport.Writer(arguments[1]),
        };
        if (arguments[0] != Pipe)
        {
            PeerLink.Say("READY");
        }

        PeerLink.WaitFor("GO");
        long warm = MonotonicClock.NowNanoseconds + WarmUpNanoseconds;
        for (long number = 1; MonotonicClock.NowNanoseconds < warm; number++)
        {
            writer.Write(source.Frame(number));
        }

        TimeSpan cpu = default;
        long start = 0;
        long due = MonotonicClock.NowNanoseconds;
        for (long number = First - Settling; number < First + frames; number++)
        {
            if (number == First)
            {
                cpu = Cpu;
                start = MonotonicClock.NowNanoseconds;
            }

            if (rate > 0)
            {
                due += 1_000_000_000 / rate;
                int pause = (int)((due - MonotonicClock.NowNanoseconds) / 1_000_000);
                if (pause > 0)
                {
                    // The pace of the camera.
                    Thread.Sleep(pause);
                }
            }

            writer.Write(source.Frame(number));
        }

        Tell(Cpu - cpu, MonotonicClock.NowNanoseconds - start);
        PeerLink.WaitFor("END");
    }

    /// <summary>Arguments: transport, directory, number of the reader, frames, whether to touch them.</summary>
    public static void Read(string[] arguments)
    {
        int frames = Number(arguments[3]);
        bool touch = bool.Parse(arguments[4]);
        long expected = touch ? TestFrames.ExpectedSum() : 0;
        using ITransportReader reader = arguments[0] switch
        {
            CuFrames => new CuFramesTransport.Reader(arguments[1]),
            Pipe => new PipeTransport.Reader(arguments[1], Number(arguments[2])),
            _ => new GStreamerTransport.Reader(arguments[1]),
        };
        PeerLink.Say("READY");
        TimeSpan cpu = default;
        long start = 0;
        long last = 0;
        while (last < First + frames - 1)
        {
            long found = reader.Read(touch, out long sum);
            if ((found != last + 1 && (last >= First - Settling || found != First - Settling)) || sum != expected)
            {
                throw new InvalidDataException($"Frame {found} with sum {sum} came after frame {last}; the sum should be {expected}.");
            }

            last = found;
            if (last == First - 1)
            {
                cpu = Cpu;
                start = MonotonicClock.NowNanoseconds;
            }
        }

        Tell(Cpu - cpu, MonotonicClock.NowNanoseconds - start);
        PeerLink.WaitFor("END");
    }

    /// <summary>User and system time of all threads, from getrusage.</summary>
    private static TimeSpan Cpu => Environment.CpuUsage.TotalTime;

    private static void Tell(TimeSpan cpu, long wall) =>
        PeerLink.Say(FormattableString.Invariant($"USED {cpu.TotalMicroseconds:0} {wall / 1000}"));

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
