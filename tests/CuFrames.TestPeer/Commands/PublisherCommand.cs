using System.Collections.Concurrent;
using System.Globalization;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>A publisher that does what it is told, step by step: tests/native-peers/README.md lists the steps.</summary>
internal sealed class PublisherCommand(PeerArguments arguments) : IDisposable
{
    private readonly ConcurrentQueue<object> _events = new();
    private FramePublisher? _publisher;
    private DevicePublisher? _device;

    public static int Run(PeerArguments arguments)
    {
        using PublisherCommand command = new(arguments);
        return StepLoop.Run(command.Act);
    }

    public void Dispose()
    {
        _device?.Dispose();
        _publisher?.Dispose();
    }

    private void Act(string[] words)
    {
        switch (words)
        {
            case ["open"]:
                _publisher = arguments.OpenPublisher(happened =>
                    _events.Enqueue(new { name = PeerArguments.Dashed(happened.Kind.ToString()), code = (int)happened.Code }));
                PeerArguments.Say(new { kind = "open", epoch = _publisher.Epoch.ToString(CultureInfo.InvariantCulture) });
                break;
            case ["publish", var count]:
                Publish(int.Parse(count, CultureInfo.InvariantCulture), null);
                break;
            case ["publish-described"]:
                Publish(1, Describe);
                break;
            case ["abandon"]:
                Abandon();
                PeerArguments.Say(new { kind = "abandon" });
                break;
            case ["configure", var format]:
                _publisher!.Configure(PeerArguments.ParseFormat(format));
                PeerArguments.Say(new { kind = "configure" });
                break;
            case ["state", var number, .. var reason]:
                _publisher!.SetState((StreamState)int.Parse(number, CultureInfo.InvariantCulture), string.Join(' ', reason));
                PeerArguments.Say(new { kind = "state" });
                break;
            case ["evict", var program]:
                ulong id = _publisher!.GetStatistics().Subscribers.FirstOrDefault(subscriber => subscriber.Program == program)?.SubscriberId ?? 0;
                if (!_publisher.Evict(id, "asked to"))
                {
                    throw new ArgumentException($"There is no subscriber '{program}'.");
                }

                PeerArguments.Say(new { kind = "evict" });
                break;
            case ["info"]:
                PeerArguments.Say(new { kind = "info", statistics = _publisher!.GetStatistics() });
                break;
            case ["events"]:
                PeerArguments.Say(new { kind = "events", events = _events });
                break;
            case ["close"]:
                _device?.Dispose();
                _device = null;
                _publisher?.Dispose();
                PeerArguments.Say(new { kind = "close" });
                break;
            default:
                throw new InvalidOperationException($"There is no command '{string.Join(' ', words)}'.");
        }
    }

    private void Publish(int count, StampedFrames.Description? describe)
    {
        if (_publisher!.Memory == MemoryDomain.Cuda)
        {
            _device ??= new DevicePublisher(_publisher);
        }

        int published = 0;
        for (int i = 0; i < count; i++)
        {
            published += (_device is null ? StampedFrames.TryPublish(_publisher, describe) : _device.TryPublish(describe)) ? 1 : 0;
        }

        PeerArguments.Say(new { kind = "publish", published, dropped = count - published, head = _publisher.Head });
    }

    private static void Describe(ref FrameMetadata metadata)
    {
        metadata.Pts = -1_234_567_890_123;
        metadata.CaptureTime = 1_700_000_000_000_000_001;
        metadata.ArrivalTime = 42;
        metadata.SourcePacket = 7;
        metadata.Duration = 40_000_001;
        metadata.Flags = FrameFlags.Key | FrameFlags.Discontinuity | FrameFlags.Corrupt | FrameFlags.Interlaced | FrameFlags.TopFieldFirst;
        metadata.PictureType = PictureType.Bidirectional;
        metadata.ColourMatrix = 9;
        metadata.ColourRange = ColourRange.Full;
        metadata.ColourPrimaries = 9;
        metadata.ColourTransfer = 16;
        metadata.Rotation = 3;
        metadata.ChromaLocation = 2;
    }

    private void Abandon()
    {
        if (!_publisher!.TryBeginFrame(out FrameWriter frame))
        {
            throw new InvalidOperationException("There is no slot to abandon.");
        }

        using (frame)
        {
            if (frame.Memory == MemoryDomain.Host)
            {
                FrameStamp.Fill(frame, 0);
            }
        }
    }
}
