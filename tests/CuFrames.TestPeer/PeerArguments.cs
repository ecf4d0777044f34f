using System.Globalization;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.TestPeer;

/// <summary>Options of a peer, as <c>--name value</c>, and its answers, as lines of JSON.</summary>
internal sealed class PeerArguments
{
    private static readonly Lock OutputGate = new();

    private readonly Dictionary<string, string> _values = [];

    public PeerArguments(string[] arguments)
    {
        for (int i = 0; i + 1 < arguments.Length; i += 2)
        {
            _values[arguments[i]] = arguments[i + 1];
        }
    }

    public string? Text(string name) => _values.GetValueOrDefault("--" + name);

    public string Required(string name) => Text(name) ?? throw new ArgumentException($"--{name} is missing");

    public int Number(string name, int otherwise) =>
        Text(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    public TimeSpan Milliseconds(string name, int otherwise) => TimeSpan.FromMilliseconds(Number(name, otherwise));

    /// <summary>Where a publisher's frames are to lie: <c>host</c>, <c>cuda</c> or <c>cuda-ipc</c>.</summary>
    public FrameMemory Memory() => Text("memory") switch
    {
        null or "host" => FrameMemory.Host,
        "cuda" => FrameMemory.Cuda,
        "cuda-ipc" => FrameMemory.CudaIpc,
        var other => throw new ArgumentException($"'{other}' is no kind of memory"),
    };

    /// <summary>Fences that a reader offers beside CPU: <c>cpu</c>, <c>stream</c>, <c>event</c>; all of them without the option.</summary>
    public Fence Fences() => Text("fence") is { } text
        ? Fence.Cpu | Enum.Parse<Fence>(text, ignoreCase: true)
        : Fence.Cpu | Fence.Stream | Fence.Event;

    /// <summary>How frames are to be delivered: <c>newest</c>, <c>inorder</c> or <c>lossless</c>.</summary>
    public Delivery Delivery() => Enum.Parse<Delivery>(Text("delivery") ?? "Newest", ignoreCase: true);

    /// <summary>Formats as <c>gray8:64x48,nv12:640x360</c>.</summary>
    public StreamFormat[] Formats()
    {
        return [.. Required("format").Split(',').Select(ParseFormat)];
    }

    /// <summary>Opens the publisher that the options describe, with the first of their formats.</summary>
    public FramePublisher OpenPublisher(Action<PublisherEvent> onEvent) => FramePublisher.Create(Required("key"), Formats()[0], new PublisherOptions
    {
        Directory = Required("dir"),
        Memory = Memory(),
        Slots = Number("slots", 4),
        MaxSlots = Number("max-slots", 16),
        MaxLeases = Number("max-leases", 8),
        MaxSubscribers = Number("max-subscribers", 64),
        LosslessTimeout = Milliseconds("lossless-ms", 0),
        LeaseTimeout = Milliseconds("lease-timeout-ms", 5000),
        ShrinkAfter = Milliseconds("shrink-after-ms", 10_000),
        Program = Text("program"),
        Source = Text("source") ?? "",
        Readers = Text("readers") == "own" ? ReaderAccess.OwnUserAndGroup : ReaderAccess.Everyone,
        OnEvent = onEvent,
    });

    /// <summary>The name of an enumeration's value as answers have it: <c>SourceLost</c> is <c>source-lost</c>.</summary>
    public static string Dashed(string name) =>
        string.Concat(name.Select((letter, index) => (index > 0 && char.IsUpper(letter) ? "-" : "") + char.ToLowerInvariant(letter)));

    public static void Say(object answer)
    {
        string line = JsonSerializer.Serialize(answer);
        lock (OutputGate)
        {
            Console.Out.WriteLine(line);
            Console.Out.Flush();
        }
    }

    public static StreamFormat ParseFormat(string text)
    {
        string[] parts = text.Split(':', 'x');
        return PixelFormats.TryParse(parts[0], out PixelFormat format)
            ? new StreamFormat(format, int.Parse(parts[1], CultureInfo.InvariantCulture), int.Parse(parts[2], CultureInfo.InvariantCulture))
            : throw new ArgumentException($"'{text}' is no format");
    }
}
