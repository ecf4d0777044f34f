using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;

namespace CuFrames.Web.Tests;

/// <summary>Many readers that take every frame they are given.</summary>
internal sealed class Readers : IDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _reading = [];

    /// <summary>Adds a reader.</summary>
    public void Add(DaemonProcess daemon, string key) => _reading.Add(ReadAsync(daemon.Subscribe(key), _end.Token));

    public void Dispose()
    {
        _end.Cancel();
        Task.WaitAll([.. _reading]);
        _end.Dispose();
    }

    private static async Task ReadAsync(FrameSubscriber subscriber, CancellationToken end)
    {
        using (subscriber)
        {
            try
            {
                while (true)
                {
                    using Frame frame = await subscriber.NextAsync(end);
                }
            }
            catch (Exception error) when (error is OperationCanceledException or CuFramesException)
            {
                // The end of the test, or of the stream.
            }
        }
    }
}
