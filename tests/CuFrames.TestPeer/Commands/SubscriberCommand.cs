using System.Globalization;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>A subscriber that does what it is told, step by step: tests/native-peers/README.md lists the steps.</summary>
internal sealed class SubscriberCommand(PeerArguments arguments) : IDisposable
{
    private readonly Dictionary<ulong, Frame> _held = [];
    private readonly List<object> _events = [];
    private readonly FrameChecker _checker = new();
    private long _tornBefore;
    private FrameSubscriber? _subscriber;
    private DeviceReader? _device;

    public static int Run(PeerArguments arguments)
    {
        OtherUser.BecomeIfAsked(arguments);
        using SubscriberCommand command = new(arguments);
        return StepLoop.Run(command.Act);
    }

    public void Dispose()
    {
        _device?.VerifyAll();
        foreach (Frame frame in _held.Values)
        {
            frame.Dispose();
        }

        _subscriber?.Dispose();
        _device?.Dispose();
    }

    private void Act(string[] words)
    {
        switch (words)
        {
            case ["open"]:
                Open();
                PeerArguments.Say(new { kind = "open" });
                break;
            case ["next", var milliseconds]:
                Next(TimeSpan.FromMilliseconds(int.Parse(milliseconds, CultureInfo.InvariantCulture)));
                break;
            case ["verify"]:
                Verify();
                break;
            case ["metadata", var sequence]:
                TellMetadata(Held(sequence).Metadata);
                break;
            case ["release", var sequence, .. var how]:
                Release(Held(sequence), how is ["cpu"]);
                PeerArguments.Say(new { kind = "release" });
                break;
            case ["settle"]:
                _device?.VerifyAll();
                PeerArguments.Say(new { kind = "settle", torn = _checker.Torn - _tornBefore });
                _tornBefore = _checker.Torn;
                break;
            case ["info"]:
                TellInfo(_subscriber!);
                break;
            case ["events"]:
                PeerArguments.Say(new { kind = "events", events = _events });
                break;
            case ["close"]:
                _subscriber?.Dispose();
                _subscriber = null;
                PeerArguments.Say(new { kind = "close" });
                break;
            default:
                throw new InvalidOperationException($"There is no command '{string.Join(' ', words)}'.");
        }
    }

    private void Open() => _subscriber = FrameSubscriber.Connect(arguments.Required("key"), new SubscriberOptions
    {
        Directory = arguments.Required("dir"),
        Delivery = arguments.Delivery(),
        Leases = arguments.Number("leases", 2),
        Fences = arguments.Fences(),
        Program = arguments.Text("program"),
        WaitForStream = arguments.Number("wait-for-stream", 0) != 0,
        Reconnect = arguments.Number("no-reconnect", 0) == 0,
        OnEvent = happened => _events.Add(new { name = PeerArguments.Dashed(happened.Kind.ToString()), code = (int)happened.Code }),
    });

    private void Next(TimeSpan timeout)
    {
        Frame frame = _subscriber!.Next(timeout);
        _held.Add(frame.Sequence, frame);
        if (frame.Memory == MemoryDomain.Cuda)
        {
            _device ??= new DeviceReader(_subscriber.Cuda!, _checker, 8);
        }

        PeerArguments.Say(new
        {
            kind = "frame",
            sequence = frame.Sequence,
            epoch = frame.Epoch.ToString(CultureInfo.InvariantCulture),
            missed = frame.Missed,
            format = PixelFormats.Name(frame.PixelFormat),
            width = frame.Width,
            height = frame.Height,
            memory = frame.Memory == MemoryDomain.Cuda ? "cuda" : "host",
            planes = frame.PlaneCount,
            fault = Look(frame),
        });
    }

    /// <summary>Looks at all of a frame.</summary>
    private static string? Look(Frame frame)
    {
        if (frame.Memory == MemoryDomain.Host)
        {
            return StampedFrames.FindFault(frame);
        }

        byte[] copy = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
        frame.CopyTo(copy);
        return StampedFrames.FindMetadataFault(frame) ??
            FrameStamp.FindFault(copy, frame.PixelFormat, frame.Width, frame.Height, StampedFrames.Number(frame.Epoch, frame.Sequence));
    }

    private void Verify()
    {
        int torn = 0;
        int lost = 0;
        foreach (Frame frame in _held.Values)
        {
            try
            {
                bool hasFault = Look(frame) is not null;
                frame.ThrowIfInvalid();
                torn += hasFault ? 1 : 0;
            }
            catch (FrameLostException)
            {
                lost++;
            }
        }

        PeerArguments.Say(new { kind = "verify", held = _held.Count, torn, lost });
    }

    private Frame Held(string sequence) => _held.TryGetValue(ulong.Parse(sequence, CultureInfo.InvariantCulture), out Frame frame)
        ? frame
        : throw new KeyNotFoundException("This frame is not held.");

    private void Release(Frame frame, bool byCpu)
    {
        ulong sequence = frame.Sequence;
        if (frame.Memory == MemoryDomain.Cuda && !byCpu)
        {
            _device!.Enqueue(frame);
            frame.Release(_device.Stream);
        }
        else
        {
            frame.Dispose();
        }

        _held.Remove(sequence);
    }

    private static void TellMetadata(FrameMetadata metadata) => PeerArguments.Say(new
    {
        kind = "metadata",
        pts = metadata.Pts,
        captureTime = metadata.CaptureTime,
        arrivalTime = metadata.ArrivalTime,
        publishTime = metadata.PublishTime,
        sourcePacket = metadata.SourcePacket,
        duration = metadata.Duration,
        flags = (uint)metadata.Flags,
        pictureType = (int)metadata.PictureType,
        colourMatrix = metadata.ColourMatrix,
        colourRange = (int)metadata.ColourRange,
        colourPrimaries = metadata.ColourPrimaries,
        colourTransfer = metadata.ColourTransfer,
        rotation = metadata.Rotation,
        chromaLocation = metadata.ChromaLocation,
    });

    private static void TellInfo(FrameSubscriber subscriber) => PeerArguments.Say(new
    {
        kind = "info",
        isConnected = subscriber.IsConnected,
        state = (int)subscriber.State,
        memory = subscriber.Cuda is not null ? "cuda" : subscriber.Epoch != 0 ? "host" : "none",
        epoch = subscriber.Epoch.ToString(CultureInfo.InvariantCulture),
        granted = subscriber.GrantedLeases,
        held = subscriber.HeldFrames,
        taken = subscriber.Taken,
        missed = subscriber.Missed,
        reconnects = subscriber.Reconnects,
        evictions = subscriber.Evictions,
        fence = PeerArguments.Dashed(subscriber.ReleaseFence.ToString()),
    });
}
