using System.Diagnostics;
using System.Runtime.InteropServices;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.TestPeer.Commands;

/// <summary>
/// The SDK's publisher as the conformance suite wants it: frames without end, limits that the suite can reach, and on
/// request a change of format once somebody reads. Ends with SIGTERM or when its standard input is closed.
/// </summary>
internal static class ConformPublisherCommand
{
    private const int FrameMilliseconds = 10;

    private static readonly StreamFormat First = new(PixelFormat.Nv12, 94, 62);
    private static readonly StreamFormat Second = new(PixelFormat.I420, 65, 33);

    private static readonly PublisherOptions Options = new()
    {
        Slots = 6,
        MaxSlots = 8,
        MaxLeases = 4,
        MaxSubscribers = 40,
        LeaseTimeout = TimeSpan.FromMilliseconds(500),
        LosslessTimeout = TimeSpan.FromSeconds(5),
        Readers = ReaderAccess.OwnUserAndGroup,
    };

    /// <param name="key">The stream's key.</param>
    /// <param name="formatChangeMilliseconds">How long after the first subscriber the format changes; null: never.</param>
    /// <param name="rests">Whether the publisher rests while nobody reads.</param>
    public static int Run(string key, int? formatChangeMilliseconds, bool rests = false)
    {
        using var stop = new CancellationTokenSource();
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            stop.Cancel();
        });
        ConformInput.CancelAtEnd(stop);
        using FramePublisher publisher = FramePublisher.Create(key, First, Options);
        Stopwatch? sinceFirst = null;
        bool changed = false;
        ulong number = 0;
        while (!stop.Token.WaitHandle.WaitOne(FrameMilliseconds))
        {
            if (formatChangeMilliseconds is { } delay && !changed)
            {
                sinceFirst ??= publisher.GetStatistics().Subscribers.Count > 0 ? Stopwatch.StartNew() : null;
                if (sinceFirst?.ElapsedMilliseconds >= delay)
                {
                    publisher.Configure(Second);
                    changed = true;
                }
            }

            if (rests && publisher.TryRest())
            {
                continue;
            }

            if (publisher.TryBeginFrame(out FrameWriter frame))
            {
                Fill(frame, ++number);
                frame.Publish();
            }
        }

        return 0;
    }

    private static void Fill(FrameWriter frame, ulong number)
    {
        // Any content will do that differs from frame to frame in every byte's neighbourhood.
        var random = new Random((int)number);
        for (int plane = 0; plane < frame.PlaneCount; plane++)
        {
            random.NextBytes(frame.Plane(plane));
        }
    }
}
