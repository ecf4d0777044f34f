using System.Runtime.ExceptionServices;
using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>
/// The pictures of one stream as JPEG, each encoded once for all clients. Reads and encodes while there is a client that waits: nobody there, nothing
/// read; all of them busy with the picture before, nothing encoded. Any thread.
/// </summary>
/// <param name="directory">The runtime directory.</param>
/// <param name="key">The stream.</param>
internal sealed class JpegFeed(string directory, string key)
{
    private readonly Lock _gate = new();

    // All of these under the gate.
    private readonly Stack<JpegPicture> _free = [];
    private TaskCompletionSource _wanted = NewSignal();
    private TaskCompletionSource _changed = NewSignal();
    private CancellationTokenSource? _stop;
    private JpegPicture? _newest;
    private Exception? _fault;
    private int _clients;
    private long _number;
    private bool _isLooking;

    /// <summary>A client comes. It calls <see cref="Leave"/> when it goes.</summary>
    /// <returns>The number that it asks with first.</returns>
    internal long Join()
    {
        lock (_gate)
        {
            if (_clients++ == 0)
            {
                (_stop, _fault, _isLooking) = (new CancellationTokenSource(), null, false);
                (_wanted, _changed) = (NewSignal(), NewSignal());
                _ = RunAsync(_stop.Token);
            }

            // While the reader waits for a frame, the picture before is the newest there is.
            return _isLooking && _newest is not null ? _newest.Number - 1 : _number;
        }
    }

    /// <summary>A client goes.</summary>
    /// <returns>Whether it was the last one.</returns>
    internal bool Leave()
    {
        lock (_gate)
        {
            if (--_clients == 0)
            {
                _stop!.Cancel();
                _stop.Dispose();
                SetNewest(null);
                _free.Clear();
            }

            return _clients == 0;
        }
    }

    /// <summary>Waits for a picture that is newer than another.</summary>
    /// <param name="after">Number of the other.</param>
    /// <param name="gone">Ends the wait.</param>
    /// <returns>The picture, to be given back with <see cref="Release"/>.</returns>
    /// <exception cref="CuFramesException">The stream has ended, or its frames cannot be had.</exception>
    /// <exception cref="TapException">The stream is not there, or has a format that no JPEG is made of.</exception>
    internal async ValueTask<JpegPicture> NextAsync(long after, CancellationToken gone)
    {
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                if (_newest is { } newest && newest.Number > after)
                {
                    newest.Users++;
                    return newest;
                }

                if (_fault is not null)
                {
                    ExceptionDispatchInfo.Throw(_fault);
                }

                changed = _changed.Task;
                _wanted.TrySetResult();
            }

            await changed.WaitAsync(gone).ConfigureAwait(false);
        }
    }

    /// <summary>Gives a picture back.</summary>
    internal void Release(JpegPicture picture)
    {
        lock (_gate)
        {
            if (--picture.Users == 0)
            {
                _free.Push(picture);
            }
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task RunAsync(CancellationToken stop)
    {
        try
        {
            // Not on the thread that holds the gate.
            await Task.Yield();
            using FrameSubscriber subscriber = TapFrames.Connect(directory, key, "taps jpeg");
            using JpegEncoder encoder = new();
            byte[] samples = [];
            while (true)
            {
                Task wanted;
                lock (_gate)
                {
                    wanted = _wanted.Task;
                }

                await wanted.WaitAsync(stop).ConfigureAwait(false);
                if (!subscriber.TryTake(out Frame frame))
                {
                    SetLooking(true, stop);
                    frame = await subscriber.NextAsync(stop).ConfigureAwait(false);
                    SetLooking(false, stop);
                }

                (PixelFormat Format, int Width, int Height) shape;
                FrameMetadata metadata;
                using (frame)
                {
                    shape = (frame.PixelFormat, frame.Width, frame.Height);
                    metadata = frame.Metadata;
                    samples = Copy(frame, samples);
                }

                Publish(encoder.Encode(shape.Format, shape.Width, shape.Height, samples, metadata), stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The last client has gone.
        }
        catch (Exception error)
        {
            // Every client is told, on its own task.
            Fail(error, stop);
        }
    }

    private byte[] Copy(Frame frame, byte[] samples)
    {
        if (!JpegEncoder.CanEncode(frame.PixelFormat))
        {
            throw new TapException(
                TapException.Conflict, $"'{key}' has the format {PixelFormats.Name(frame.PixelFormat)}, of which no JPEG is made: take the camera itself, or a rendition that is no tensor");
        }

        int bytes = checked((int)PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height));
        samples = samples.Length >= bytes ? samples : new byte[bytes];
        frame.CopyTo(samples);
        return samples;
    }

    private void Publish(ReadOnlySpan<byte> jpeg, CancellationToken stop)
    {
        lock (_gate)
        {
            if (stop.IsCancellationRequested)
            {
                return;
            }

            JpegPicture picture = _free.TryPop(out JpegPicture? free) ? free : new JpegPicture();
            picture.Set(jpeg, ++_number);
            SetNewest(picture);
            _wanted = NewSignal();
            Tell();
        }
    }

    /// <summary>One that was stopped has no say any more: its clients have gone, and others may have come.</summary>
    private void SetLooking(bool isLooking, CancellationToken stop)
    {
        lock (_gate)
        {
            _isLooking = isLooking && !stop.IsCancellationRequested;
        }
    }

    private void Fail(Exception error, CancellationToken stop)
    {
        lock (_gate)
        {
            if (!stop.IsCancellationRequested)
            {
                _fault = error;
                Tell();
            }
        }
    }

    private void Tell()
    {
        _changed.TrySetResult();
        _changed = NewSignal();
    }

    private void SetNewest(JpegPicture? picture)
    {
        if (_newest is { } old && --old.Users == 0)
        {
            _free.Push(old);
        }

        _newest = picture;
        if (picture is not null)
        {
            picture.Users++;
        }
    }
}
