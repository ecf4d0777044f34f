using System.Buffers;
using CuFrames.Client;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>
/// The pictures of one stream, each made once for all who look. The stream is read while somebody does. Nothing here waits for a frame: pages look now and
/// then, and whoever looks first makes the picture. Any thread.
/// </summary>
/// <param name="directory">The runtime directory.</param>
/// <param name="key">The stream.</param>
internal sealed class TileFeed(string directory, string key)
{
    /// <summary>Name of the dashboard's readers.</summary>
    private const string Program = "dashboard";

    /// <summary>From a picture to the next, nanoseconds: a second, less what a look may come too early.</summary>
    private const long Pace = 1_000_000_000 - (long)(Tiles.LookMilliseconds * 1_000_000 / 2);

    private readonly Lock _gate = new();

    // All of these under the gate.
    private Task<FrameSubscriber>? _connecting;
    private Exception? _fault;
    private byte[] _picture = [];
    private int _length;
    private int _viewers;
    private long _number;
    private long _due;

    /// <summary>Somebody looks from now on. He calls <see cref="Leave"/> when he goes.</summary>
    internal void Join()
    {
        lock (_gate)
        {
            if (_viewers++ == 0)
            {
                // Not here: a publisher that does not answer would hold up the other tiles.
                (_fault, _due, _connecting) = (null, 0, Task.Run(() => TapFrames.Connect(directory, key, Program)));
            }
        }
    }

    /// <summary>Somebody does not look any more.</summary>
    /// <returns>Whether he was the last one.</returns>
    internal bool Leave()
    {
        lock (_gate)
        {
            if (--_viewers > 0)
            {
                return false;
            }

            _ = _connecting!.ContinueWith(
                connecting => connecting.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            (_connecting, _length) = (null, 0);
            return true;
        }
    }

    /// <summary>Adds the newest picture to an answer, if there is one that it has not.</summary>
    /// <param name="number">Number of the picture that it has; 0: none.</param>
    /// <param name="maker">Makes a picture if that is due.</param>
    /// <param name="answer">The answer.</param>
    /// <returns>Whether something was added.</returns>
    /// <exception cref="CuFramesException">The stream has ended, or its frames cannot be had.</exception>
    /// <exception cref="TapException">The stream is not there, or has a format that no picture is made of.</exception>
    internal bool TryAdd(ref long number, TileMaker maker, IBufferWriter<byte> answer)
    {
        lock (_gate)
        {
            long now = MonotonicClock.NowNanoseconds;
            if (now >= _due && TryTake(out Frame frame))
            {
                ReadOnlySpan<byte> picture = maker.Make(key, frame);
                _picture = _picture.Length >= picture.Length ? _picture : new byte[picture.Length];
                picture.CopyTo(_picture);
                (_length, _due) = (picture.Length, now + Pace);
                _number++;
            }

            if (_length == 0 || _number == number)
            {
                return false;
            }

            number = _number;
            TileRecord.Write(answer, key, TileRecord.Picture, _picture.AsSpan(0, _length));
            return true;
        }
    }

    /// <summary>Takes the newest frame, if there is one already.</summary>
    private bool TryTake(out Frame frame)
    {
        frame = default;
        if (!_connecting!.IsCompleted)
        {
            return false;
        }

        try
        {
            if (_fault is null)
            {
                return _connecting.GetAwaiter().GetResult().TryPoll(out frame);
            }
        }
        catch (Exception error) when (error is CuFramesException or TapException)
        {
            // Whoever else looks is told the same.
            _fault = error;
        }

        throw new TapException(TapException.Unavailable, _fault.Message);
    }
}
