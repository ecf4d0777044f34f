using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Media.Tests;

/// <summary>Publishers with a pump, and lossless subscribers that miss no frame of it. What has packets publishes them, as the daemon does.</summary>
internal sealed class CameraHarness : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly TemporaryDirectory _directory = new();
    private readonly List<CameraStatus> _statuses = [];
    private readonly FrameSubscriber[] _subscribers;
    private readonly List<FrameSubscriber> _owned = [];

    public CameraHarness(
        CameraOptions options, bool subscribe = true, FrameMemory memory = FrameMemory.Host, CudaContext? cuda = null, int readers = 1,
        PacketPublisherOptions? packets = null)
    {
        Publisher = FramePublisher.Create("camera", new PublisherOptions
        {
            Directory = _directory.Path,
            LosslessTimeout = Patience,
            Slots = 4,
            MaxSlots = 4,
            Memory = memory,
            Cuda = cuda,
        });
        Packets = options.Source is null ? null : PacketPublisher.Create("camera", (packets ?? new PacketPublisherOptions()) with { Directory = _directory.Path });
        _subscribers = new FrameSubscriber[subscribe ? readers : 0];
        for (int reader = 0; reader < _subscribers.Length; reader++)
        {
            _subscribers[reader] = FrameSubscriber.Connect("camera", new SubscriberOptions { Directory = _directory.Path, Delivery = Delivery.Lossless, Cuda = cuda });
        }

        Pump = new CameraPump(Publisher, options, Note, Packets);

        void Note(CameraStatus status)
        {
            lock (_statuses)
            {
                _statuses.Add(status);
                Monitor.PulseAll(_statuses);
            }
        }
    }

    public FramePublisher Publisher { get; }

    /// <summary>Null for the test pattern.</summary>
    public PacketPublisher? Packets { get; }

    public FrameSubscriber? Subscriber => _subscribers.FirstOrDefault();

    public CameraPump Pump { get; }

    public string Directory => _directory.Path;

    public CameraStatus[] Statuses
    {
        get
        {
            lock (_statuses)
            {
                return [.. _statuses];
            }
        }
    }

    public static CameraOptions Of(MediaSourceOptions source) => new()
    {
        Source = source,
        InitialRetryDelay = TimeSpan.FromMilliseconds(100),
        MaxRetryDelay = TimeSpan.FromMilliseconds(400),
    };

    public static CameraOptions File(string path, bool loop = false) =>
        Of(new MediaSourceOptions { Url = new RedactedUrl(path), Loop = loop, Paced = false });

    /// <summary>A reader of the packets.</summary>
    public PacketSubscriber ReadPackets(PacketStart start = PacketStart.OldestKey) =>
        PacketSubscriber.Connect("camera", new PacketSubscriberOptions { Directory = _directory.Path, Start = start });

    /// <summary>Waits for a state that comes after the first <paramref name="seen"/> ones.</summary>
    public CameraStatus WaitFor(CameraState state, int seen = 0)
    {
        long deadline = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        lock (_statuses)
        {
            while (true)
            {
                if (_statuses.Skip(seen).FirstOrDefault(status => status.State == state) is { } found)
                {
                    return found;
                }

                long left = deadline - Environment.TickCount64;
                if (left <= 0 || !Monitor.Wait(_statuses, (int)left))
                {
                    throw new TimeoutException($"No {state} after: {string.Join("; ", _statuses)}");
                }
            }
        }
    }

    /// <summary>The next frame: its metadata and its samples without padding.</summary>
    public (FrameMetadata Metadata, string Format, byte[] Samples) Next(int reader = 0)
    {
        using Frame frame = _subscribers[reader].Next(Patience);
        byte[] samples = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
        frame.CopyTo(samples);
        frame.ThrowIfInvalid();
        return (frame.Metadata, $"{PixelFormats.Name(frame.PixelFormat)} {frame.Width}x{frame.Height}", samples);
    }

    /// <summary>Readers of renditions end before the pump does, which else waits for them.</summary>
    public FrameSubscriber Own(FrameSubscriber reader)
    {
        _owned.Add(reader);
        return reader;
    }

    public void Dispose()
    {
        _owned.ForEach(reader => reader.Dispose());
        foreach (FrameSubscriber subscriber in _subscribers)
        {
            subscriber.Dispose();
        }

        Pump.Dispose();
        Publisher.Dispose();
        Packets?.Dispose();
        _directory.Dispose();
    }
}
