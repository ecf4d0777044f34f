using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.TestPeer.Commands;

/// <summary>
/// The SDK's subscriber of packets as the conformance suite wants it (conformance-tests/README.md): a line for each packet and a line for each end of a
/// connection; then it connects again.
/// </summary>
internal static class ConformPacketSubscriberCommand
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
        var options = new PacketSubscriberOptions { WaitForStream = true, OnEvent = ConformEvents.Tell };
        while (!stop.IsCancellationRequested)
        {
            try
            {
                using PacketSubscriber subscriber = PacketSubscriber.Connect(key, options);
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

    private static void Read(PacketSubscriber subscriber, CancellationToken stop)
    {
        // A packet that was overwritten while it was read is lost, too, with what was lost before it.
        ulong lost = 0;
        while (!stop.IsCancellationRequested)
        {
            if (!subscriber.TryNext(Patience, out Packet packet))
            {
                continue;
            }

            string hash = Convert.ToHexStringLower(SHA256.HashData(packet.Data));
            lost += packet.Missed;
            if (!packet.IsValid)
            {
                lost++;
            }
            else
            {
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{{\"sequence\":{packet.Sequence},\"epoch\":\"{packet.Epoch:x16}\",\"sha256\":\"{hash}\",\"missed\":{lost}}}"));
                lost = 0;
            }
        }
    }
}
