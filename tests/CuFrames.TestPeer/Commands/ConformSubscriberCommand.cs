using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.TestPeer.Commands;

/// <summary>
/// The SDK's subscriber as the conformance suite wants it (conformance-tests/README.md): a line for each frame, released
/// before the line is written, and a line for each end of a connection; then it connects again.
/// </summary>
internal static class ConformSubscriberCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(200);

    public static int Run(string key)
    {
        using var stop = new CancellationTokenSource();
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            stop.Cancel();
        });
        ConformInput.CancelAtEnd(stop);
        var options = new SubscriberOptions { Leases = 2, WaitForStream = true, OnEvent = ConformEvents.Tell };
        while (!stop.IsCancellationRequested)
        {
            try
            {
                using FrameSubscriber subscriber = FrameSubscriber.Connect(key, options);
                Read(subscriber, stop.Token);
            }
            catch (StreamUnavailableException exception)
            {
                // Also a handshake that ended without an answer; the suite looks at the code.
                ConformEvents.Write(exception.Code == ErrorCode.Disconnected ? "disconnected" : "refused", exception.Code);
            }
            catch (ProtocolException exception)
            {
                ConformEvents.Write("disconnected", exception.Code);
            }
        }

        return 0;
    }

    private static void Read(FrameSubscriber subscriber, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            if (!subscriber.TryNext(Patience, out Frame frame))
            {
                continue;
            }

            string line;
            using (frame)
            {
                line = string.Create(CultureInfo.InvariantCulture,
                    $"{{\"sequence\":{frame.Sequence},\"epoch\":\"{frame.Epoch:x16}\",\"sha256\":\"{Hash(frame)}\",\"missed\":{frame.Missed}}}");
                if (!frame.IsValid)
                {
                    continue;
                }
            }

            Console.Out.WriteLine(line);
        }
    }

    private static string Hash(Frame frame)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int plane = 0; plane < frame.PlaneCount; plane++)
        {
            FramePlane data = frame.Plane(plane);
            for (int row = 0; row < data.Rows; row++)
            {
                hash.AppendData(data.Row(row));
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
