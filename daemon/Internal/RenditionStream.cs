using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal;

/// <summary>
/// One rendition of a camera, kept published while the camera runs. Only the control thread uses it.
/// </summary>
internal sealed class RenditionStream
{
    private const long Second = 1_000_000_000;

    private readonly CameraConfiguration _camera;
    private readonly string _directory;
    private readonly Log _log;
    private readonly Action<Action> _post;
    private readonly ReaderLog _readers;
    private readonly DropLog _drops;
    private CameraRun? _run;
    private Rendition? _rendition;
    private long _nextAttempt;
    private bool _isAnnounced;
    private string? _trouble;

    /// <summary>Makes a stream that is not published yet.</summary>
    /// <param name="camera">Its camera.</param>
    /// <param name="configuration">What to make.</param>
    /// <param name="directory">The runtime directory.</param>
    /// <param name="log">The log.</param>
    /// <param name="post">Hands work to the control thread, from any thread.</param>
    internal RenditionStream(CameraConfiguration camera, RenditionConfiguration configuration, string directory, Log log, Action<Action> post)
    {
        (_camera, Configuration, _directory, _log, _post) = (camera, configuration, directory, log, post);
        Key = $"{camera.Key}@{configuration.Name}";
        (_readers, _drops) = (new ReaderLog(log, Key), new DropLog(log, Key));
    }

    /// <summary>What is made.</summary>
    internal RenditionConfiguration Configuration { get; }

    /// <summary>Key of the stream.</summary>
    internal string Key { get; }

    /// <summary>What publishes it; null: nothing.</summary>
    internal FramePublisher? Publisher => _rendition?.Publisher;

    /// <summary>Whether it is published now.</summary>
    internal bool IsPublished => _rendition is not null;

    /// <summary>When <see cref="Advance"/> has something to do next, CLOCK_MONOTONIC in nanoseconds.</summary>
    internal long NextDue => _rendition is null ? _nextAttempt : long.MaxValue;

    /// <summary>Does what is due: takes the key.</summary>
    /// <param name="run">The camera's run.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal void Advance(CameraRun run, long now)
    {
        _readers.Tick(now);
        if (_rendition is null && now >= _nextAttempt)
        {
            Publish(run, now);
        }
    }

    /// <summary>Starts the stream anew if its socket is gone.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal void CheckSocket(long now)
    {
        _drops.Look(Publisher, now);
        if (_rendition is { } rendition && !File.Exists(rendition.Publisher.SocketPath))
        {
            _log.Write(LogEvents.CameraSocketGone, $"{rendition.Publisher.SocketPath} was removed; the stream is started again.", Key);
            Withdraw(now);
        }
    }

    /// <summary>The camera's run ends or the rendition is not wanted any more: readers are told.</summary>
    /// <param name="isRemoved">Whether the rendition is not wanted any more.</param>
    internal void Stop(bool isRemoved)
    {
        Withdraw(0);
        _isAnnounced = false;
        if (isRemoved)
        {
            _log.Write(LogEvents.RenditionStopped, "The rendition's stream has ended.", Key);
        }
    }

    private void Withdraw(long now)
    {
        if (_rendition is { } rendition)
        {
            _run!.Pump.Remove(rendition);
            _rendition = null;
        }

        _nextAttempt = now;
    }

    private void Publish(CameraRun run, long now)
    {
        FramePublisher? publisher = null;
        try
        {
            publisher = FramePublisher.Create(
                Key,
                _camera.ToRenditionOptions(
                    Configuration, _directory, happening => _post(() => _readers.Write(happening, MonotonicClock.NowNanoseconds)), run.Gpu, run.Budget, run.Ceilings));
            Rendition rendition = new(
                publisher, Configuration.Options, reason => _post(() => _log.Write(LogEvents.RenditionFailed, _camera.Redact(reason), Key)), run.Budget);
            run.Pump.Add(rendition);
            (_run, _rendition, _trouble) = (run, rendition, null);
            if (!_isAnnounced)
            {
                _isAnnounced = true;
                string where = run.Gpu?.Context is { } context
                    ? $" on {context.Device.Name} ({context.Device.UuidText}). Memory: {CameraConfiguration.NameOf(_camera.MemoryOf(Configuration))}."
                    : ".";
                _log.Write(LogEvents.RenditionStarted, $"The stream is published at {publisher.SocketPath}; it is computed while somebody reads it{where}", Key);
            }
        }
        catch (Exception error) when (error is CuFramesException or IOException)
        {
            publisher?.Dispose();
            _nextAttempt = now + Second;
            string advice = error is CuFramesException { Code: ErrorCode.AccessDenied } ? " " + RuntimeDirectory.AdviceFor(_directory) : "";
            string text = _camera.Redact(error.Message) + advice;
            if (text != _trouble)
            {
                _trouble = text;
                _log.Write(LogEvents.RenditionUnavailable, text + " Tried again every second.", Key);
            }
        }
    }
}
