using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

/// <summary>Publishes stamped frames on a thread of its own, about a hundred a second, until it is disposed of.</summary>
internal sealed class PacedPublisher : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(10);

    private readonly ManualResetEventSlim _stopped = new();
    private readonly Thread _thread;

    public PacedPublisher(string directory, string key, PublisherOptions? options = null, StreamFormat? format = null)
    {
        Publisher = FramePublisher.Create(
            key, format ?? new StreamFormat(PixelFormat.Nv12, 64, 48), (options ?? new PublisherOptions()) with { Directory = directory, Program = "paced" });
        _thread = new Thread(() =>
        {
            while (!_stopped.Wait(Period))
            {
                if (Publisher.TryBeginFrame(out FrameWriter frame))
                {
                    FrameStamp.Fill(frame, Publisher.Head + 1);
                    frame.Publish();
                }
            }
        });
        _thread.Start();
    }

    public FramePublisher Publisher { get; }

    public void Dispose()
    {
        _stopped.Set();
        _thread.Join();
        Publisher.Dispose();
        _stopped.Dispose();
    }
}
