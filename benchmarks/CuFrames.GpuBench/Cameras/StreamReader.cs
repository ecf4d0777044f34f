using CuFrames.Benchmarks.Running;
using CuFrames.Client;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>One GPU process that reads all streams of the daemon, a thread for each, and takes every newest frame.</summary>
internal sealed class StreamReader
{
    private readonly string _key;
    private readonly string _directory;
    private readonly CancellationToken _end;
    private readonly TaskCompletionSource _hasFrame = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private StreamPoint _point;

    private StreamReader(string key, string directory, CancellationToken end)
    {
        _key = key;
        _directory = directory;
        _end = end;
    }

    private StreamPoint Point
    {
        get
        {
            lock (_lock)
            {
                return _point;
            }
        }
    }

    /// <summary>Arguments: directory, keys. Answers MARK with the points of all streams, ends with END.</summary>
    public static void Run(string[] arguments)
    {
        using CancellationTokenSource end = new();
        StreamReader[] readers = [.. arguments[1..].Select(key => new StreamReader(key, arguments[0], end.Token))];
        Thread[] threads = [.. readers.Select(reader => new Thread(reader.Read))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        foreach (StreamReader reader in readers)
        {
            reader._hasFrame.Task.Wait();
        }

        PeerLink.Say("READY");
        while (PeerLink.Listen() is ["MARK"])
        {
            PeerLink.Say("POINTS " + string.Join(' ', readers.Select(reader => reader.Point).Select(point => $"{point.Sequence}:{point.PublishTime}:{point.Taken}")));
        }

        end.Cancel();
        foreach (Thread thread in threads)
        {
            thread.Join();
        }
    }

    private void Read()
    {
        using FrameSubscriber subscriber = FrameSubscriber.Connect(_key, new SubscriberOptions { Directory = _directory, WaitForStream = true });
        long taken = 0;
        while (!_end.IsCancellationRequested)
        {
            if (!subscriber.TryNext(TimeSpan.FromSeconds(1), out Frame frame))
            {
                continue;
            }

            StreamPoint point = new(frame.Sequence, frame.Metadata.PublishTime, ++taken);
            frame.Dispose();
            lock (_lock)
            {
                _point = point;
            }

            _hasFrame.TrySetResult();
        }
    }
}
