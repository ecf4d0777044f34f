using CuFrames.Client;
using CuFrames.Protocol;
using Xunit;

namespace CuFrames.Acceptance.Tests;

/// <summary>Reads a stream on a thread of its own and looks at every sample of every frame.</summary>
internal sealed class FrameReading : IDisposable
{
    private readonly FrameSubscriber _subscriber;
    private readonly List<string> _pictures;
    private readonly byte[] _samples;
    private readonly Task _task;
    private volatile bool _isEnding;
    private int _frames;

    /// <summary>Begins to read.</summary>
    /// <param name="subscriber">The stream; becomes this object's.</param>
    /// <param name="format">Format that its frames must have.</param>
    /// <param name="width">Their columns.</param>
    /// <param name="height">Their rows.</param>
    /// <param name="pictures">SHA-256 of every picture that may come.</param>
    public FrameReading(FrameSubscriber subscriber, PixelFormat format, int width, int height, List<string> pictures)
    {
        (_subscriber, _pictures) = (subscriber, pictures);
        _samples = new byte[PixelFormats.PictureBytes(format, width, height)];
        _task = Task.Factory.StartNew(
            () =>
            {
                while (!_isEnding)
                {
                    if (subscriber.TryNext(TimeSpan.FromMilliseconds(200), out Frame frame))
                    {
                        using (frame)
                        {
                            Look(frame, format, width, height);
                        }
                    }
                }
            },
            TaskCreationOptions.LongRunning);
    }

    /// <summary>Frames so far.</summary>
    public int Frames => Volatile.Read(ref _frames);

    /// <summary>Time stamps of the first and the last frame, in nanoseconds; after <see cref="End"/>.</summary>
    public (long First, long Last) Pts { get; private set; }

    /// <summary>Whether it has found something wrong.</summary>
    public bool HasFailed => _task.IsFaulted;

    /// <summary>Stops, and throws what was found.</summary>
    public void End()
    {
        _isEnding = true;
        _task.GetAwaiter().GetResult();
    }

    public void Dispose()
    {
        _isEnding = true;
        ((IAsyncResult)_task).AsyncWaitHandle.WaitOne();
        _subscriber.Dispose();
    }

    private void Look(Frame frame, PixelFormat format, int width, int height)
    {
        Assert.Equal((format, width, height), (frame.PixelFormat, frame.Width, frame.Height));
        Assert.True(_pictures.Contains(CameraClip.HashOf(frame, _samples)), $"{_subscriber.Key}: frame {frame.Sequence} is none of the clip's pictures");
        Pts = (Pts.First == 0 ? frame.Metadata.Pts : Pts.First, frame.Metadata.Pts);
        Volatile.Write(ref _frames, _frames + 1);
    }
}
