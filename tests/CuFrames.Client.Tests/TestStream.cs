using System.Collections.Concurrent;
using System.Diagnostics;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Client.Tests;

/// <summary>A publisher in this process, in a directory of its own.</summary>
internal sealed class TestStream : IDisposable
{
    public const string Key = "test";

    private readonly DevicePublisher? _device;

    public TestStream(StreamFormat format, PublisherOptions? options = null)
    {
        if (options is { Memory: not FrameMemory.Host })
        {
            // The double of the driver is loaded before the publisher asks for a driver.
            _ = TestCuda.Device;
        }

        Publisher = FramePublisher.Create(Key, format, (options ?? new PublisherOptions()) with
        {
            Directory = Directory.Path,
            OnEvent = Events.Enqueue,
        });
        _device = Publisher.Memory == MemoryDomain.Cuda ? new DevicePublisher(Publisher) : null;
    }

    public static StreamFormat Small { get; } = new(PixelFormat.Gray8, 64, 48);

    public TemporaryDirectory Directory { get; } = new();

    public FramePublisher Publisher { get; }

    public ConcurrentQueue<PublisherEvent> Events { get; } = new();

    /// <summary>Waits for what another thread or process brings about; far beyond any time that it should take.</summary>
    public static void Until(Func<bool> condition, string what)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!condition())
        {
            if (watch.Elapsed > TimeSpan.FromSeconds(90))
            {
                throw new TimeoutException($"This did not come about: {what}.");
            }

            // Nothing announces the change.
            Thread.Sleep(2);
        }
    }

    /// <summary>As <see cref="Until"/>, without holding a thread.</summary>
    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!condition())
        {
            if (watch.Elapsed > TimeSpan.FromSeconds(90))
            {
                throw new TimeoutException($"This did not come about: {what}.");
            }

            await Task.Delay(2);
        }
    }

    public FrameSubscriber Connect(Delivery delivery = Delivery.Newest, int leases = 2, Action<SubscriberEvent>? onEvent = null) =>
        FrameSubscriber.Connect(Key, new SubscriberOptions { Directory = Directory.Path, Delivery = delivery, Leases = leases, OnEvent = onEvent });

    public void Publish(int count = 1)
    {
        for (int i = 0; i < count; i++)
        {
            if (!TryPublish())
            {
                throw new InvalidOperationException($"Frame {Publisher.Head + 1} was dropped.");
            }
        }
    }

    /// <summary>Publishes a stamped frame, wherever the stream lies.</summary>
    /// <returns>False when it was dropped.</returns>
    public bool TryPublish() => _device is null ? StampedFrames.TryPublish(Publisher) : _device.TryPublish();

    public PublisherEvent Wait(PublisherEventKind kind)
    {
        PublisherEvent found = default;
        Until(() => Events.Any(candidate => (found = candidate).Kind == kind), $"event {kind}");
        return found;
    }

    public void Dispose()
    {
        _device?.Dispose();
        Publisher.Dispose();
        Directory.Dispose();
    }
}
