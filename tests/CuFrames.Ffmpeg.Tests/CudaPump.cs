using CuFrames.Client;
using CuFrames.TestKit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>
/// Publishes stamped frames in a thread of its own, in device or main memory, until it is told to end. ffmpeg writes a frame when it has the next one: a
/// test that publishes one and waits for it would wait for ever.
/// </summary>
internal sealed class CudaPump : IDisposable
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(10);

    private readonly FramePublisher _publisher;
    private readonly CancellationTokenSource _end = new();

    // Locked by itself. What was published in which format, and what is to come.
    private readonly List<(ulong First, StreamFormat Format)> _formats = [];
    private readonly Queue<StreamFormat> _next = new();
    private readonly Task _task;

    /// <param name="publisher">It stays the caller's, who leaves it alone but for its figures.</param>
    public CudaPump(FramePublisher publisher)
    {
        _publisher = publisher;
        _formats.Add((1, publisher.Format!.Value));
        _task = Task.Run(Run);
    }

    /// <summary>Lets formats follow, of five frames each; the last one stays.</summary>
    public void Follow(params StreamFormat[] formats)
    {
        lock (_formats)
        {
            Array.ForEach(formats, _next.Enqueue);
        }
    }

    /// <summary>The format of a frame that is published.</summary>
    public StreamFormat FormatOf(ulong sequence)
    {
        lock (_formats)
        {
            return _formats.FindLast(entry => entry.First <= sequence).Format;
        }
    }

    /// <summary>Ends it.</summary>
    /// <exception cref="Exception">What publishing failed with.</exception>
    public async Task End()
    {
        await _end.CancelAsync();
        await _task;
    }

    public void Dispose()
    {
        _end.Cancel();
        ((IAsyncResult)_task).AsyncWaitHandle.WaitOne();
        _end.Dispose();
    }

    private void Run()
    {
        using DevicePublisher? device = _publisher.Cuda is null ? null : new DevicePublisher(_publisher);
        while (!_end.IsCancellationRequested)
        {
            lock (_formats)
            {
                if (_publisher.Head >= _formats[^1].First + 4 && _next.TryDequeue(out StreamFormat format))
                {
                    _publisher.Configure(format);
                    _formats.Add((_publisher.Head + 1, format));
                }
            }

            _ = device is null ? StampedFrames.TryPublish(_publisher) : device.TryPublish();
            _end.Token.WaitHandle.WaitOne(Pace);
        }
    }
}
