using System.Globalization;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.TestPeer.Commands;

/// <summary>The lines that the conformance suite wants of a subscriber's connections.</summary>
internal static class ConformEvents
{
    /// <summary>Writes the end of a connection; other events are none of the suite's business.</summary>
    public static void Tell(SubscriberEvent told)
    {
        if (told.Kind is SubscriberEventKind.Evicted or SubscriberEventKind.Disconnected)
        {
            Write(told.Kind == SubscriberEventKind.Evicted ? "evicted" : "disconnected", told.Code);
        }
    }

    public static void Write(string name, ErrorCode code) =>
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"event\":\"{name}\",\"code\":{(uint)code}}}"));
}
