using CuFrames.Client;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>
/// Brings one source's frames into one stream, on one thread from end to end: open, read, decode, copy into the slot, publish;
/// opens the source again when it is lost.
/// </summary>
/// <remarks>
/// <para>The publishers stay the caller's: the pump's thread alone configures them, begins frames and publishes packets between <see cref="Start"/> and
/// the end of <see cref="Stop"/>. All members of the pump may be called from any thread.</para>
/// <para>Published pts grow through loops, reconnects and jumps of the source's clock; after a gap or a jump the first frame has the
/// discontinuity flag. The last frame of a file that does not loop has the end-of-stream flag.</para>
/// <para>A frame costs no allocation, and neither does a packet. Names are resolved by the C library, which cannot be interrupted: a stop during that returns false
/// when its time is over, and the thread ends by itself without touching the publisher.</para>
/// </remarks>
public sealed class CameraPump : IDisposable
{
    /// <summary>Time without a reader after which a camera that is decoded on demand closes its decoder.</summary>
    public static readonly TimeSpan IdleDelay = TimeSpan.FromSeconds(5);

    /// <summary>Begins the text beside the state of a camera that is not decoded because nobody reads it.</summary>
    public const string IdleText = "idle: decoded when somebody reads it";

    /// <summary>A decoder that cannot be opened now is tried again after that long.</summary>
    private const long WakeRetryDelay = 1_000_000_000;

    /// <summary>While a paced source waits, readers are looked for at this interval.</summary>
    private const int ReaderCheckMilliseconds = 50;

    /// <summary>A paced source that is later than this starts its pace anew instead of publishing a burst.</summary>
    private const long LargestDelay = 1_000_000_000;

    /// <summary>Bits of a heartbeat that hold the step.</summary>
    private const long StepMask = 7;

    private static readonly TimeSpan DisposeTimeout = TimeSpan.FromSeconds(2);

    private readonly FramePublisher _publisher;
    private readonly CameraOptions _options;
    private readonly Action<CameraStatus>? _onStatus;
    private readonly Thread _thread;
    private readonly object _lock = new();
    private readonly ManualResetEventSlim _stopped = new();
    private readonly RetryDelay _delay;
    private readonly FrameTimeline _timeline = new();
    private readonly PacketPublisher? _packetPublisher;
    private readonly PacketFeed? _feed;
    private readonly bool _isLoop;
    private readonly bool _hasEnd;
    private readonly PicturePlane[] _planes = new PicturePlane[Wire.MaxPlanes];
    private readonly CudaPlane[] _cudaPlanes = new CudaPlane[Wire.MaxPlanes];

    /// <summary>Where a frame that found no slot is uploaded for the renditions. The pump's thread.</summary>
    private readonly DevicePicture _scratch;

    /// <summary>Guarded by _lock: Stop must abort the source that the pump's thread is just making.</summary>
    private IPictureSource? _source;

    /// <summary>Guarded by _lock. Out of use; the pump's thread, or whoever finds that it has ended, disposes of them.</summary>
    private readonly List<Rendition> _removed = [];

    /// <summary>Replaced under _lock, never changed; read by the pump's thread.</summary>
    private Rendition[] _renditions = [];

    /// <summary>Written under _lock, read by the pump's thread: whether _removed has entries.</summary>
    private bool _hasRemoved;

    /// <summary>Guarded by _lock.</summary>
    private bool _isStarted;

    /// <summary>Guarded by _lock.</summary>
    private bool _isDisposed;

    /// <summary>Written by the pump's thread (release), read by any (acquire); the record is immutable.</summary>
    private CameraStatus _status;

    /// <summary>Written by the pump's thread, read by any: nanoseconds of CLOCK_MONOTONIC, the step in the low bits. It orders nothing else.</summary>
    private long _heartbeat;

    // Counters: written by the pump's thread alone, read by any; each is a word of its own and orders nothing else.
    private long _packets;
    private long _bytes;
    private long _frames;
    private long _dropped;
    private long _corrupt;
    private long _decodeErrors;
    private long _connections;
    private long _reconnects;
    private long _lastFrameTime;

    // Only the pump's thread uses these.
    private long _packetsBefore;
    private long _bytesBefore;
    private long _decodeErrorsBefore;
    private StreamFormat _format;
    private string? _conversion;
    private string? _decoding;
    private string? _reportedDecoder;
    private bool _isLive;
    private bool _wasLost;
    private long _liveSince;
    private bool _hasPace;
    private long _paceTime;
    private long _pacePts;
    private bool _isIdle;
    private long _unreadSince;
    private long _wakeRetryAt;
    private string? _wakeObstacle;

    /// <summary>Makes a pump; it runs after <see cref="Start"/>.</summary>
    /// <param name="publisher">The stream. Its format is set by the pump.</param>
    /// <param name="options">What to read.</param>
    /// <param name="onStatus">Is told of every change of state, on the pump's thread: it must return soon and must not throw.</param>
    /// <param name="packets">Where the source's packets are published, as they come and before they are decoded; null: nowhere. Stays the caller's, as
    /// the publisher of the frames does; its tracks are added by the pump. Frames name their packet by its sequence there.</param>
    /// <exception cref="MediaException">The options name no source or two, a time is not positive, or a test pattern is to have packets.</exception>
    public CameraPump(FramePublisher publisher, CameraOptions options, Action<CameraStatus>? onStatus = null, PacketPublisher? packets = null)
    {
        ArgumentNullException.ThrowIfNull(publisher);
        ArgumentNullException.ThrowIfNull(options);
        if ((options.Source is null) == (options.Pattern is null))
        {
            throw new MediaException(MediaError.InvalidArgument, "A camera needs either a source or a test pattern.");
        }

        if (options.InitialRetryDelay <= TimeSpan.Zero || options.MaxRetryDelay < options.InitialRetryDelay || options.StableAfter < TimeSpan.Zero)
        {
            throw new MediaException(
                MediaError.InvalidArgument, "A camera's retry delays must be longer than zero, and the longest not shorter than the first.");
        }

        if (packets is not null && options.Source is null)
        {
            throw new MediaException(MediaError.InvalidArgument, "A test pattern has no packets: it is drawn, not decoded.");
        }

        if (options.OnDemand && packets is null)
        {
            throw new MediaException(MediaError.InvalidArgument, "Decoding on demand begins with a packet of the past, so it needs a publisher of packets.");
        }

        _publisher = publisher;
        _scratch = new DevicePicture(publisher.Key, publisher.Budget);
        _options = options;
        _packetPublisher = packets;
        _feed = packets is null ? null : new PacketFeed(packets, SourceName);
        _onStatus = onStatus;
        _delay = new RetryDelay(options.InitialRetryDelay, options.MaxRetryDelay, Random.Shared);
        _isLoop = options.Source is { Loop: true };
        _hasEnd = !_isLoop && (options.Pattern is not null || options.Source is { Url.IsFile: true });
        _status = new CameraStatus(CameraState.Starting, "Not started yet.", ErrorCode.None, null, MonotonicClock.NowNanoseconds, null, TimeSpan.Zero);
        _thread = new Thread(Run) { IsBackground = true, Name = $"camera {publisher.Key}" };
    }

    /// <summary>State now, and why.</summary>
    public CameraStatus Status => Volatile.Read(ref _status);

    /// <summary>When the pump's thread last went on, and with what. A thread that is stuck in the C library, a driver or a decoder shows no new one.</summary>
    public CameraHeartbeat Heartbeat
    {
        get
        {
            long heartbeat = Volatile.Read(ref _heartbeat);
            return new CameraHeartbeat((CameraStep)(heartbeat & StepMask), heartbeat & ~StepMask);
        }
    }

    /// <summary>Counters now.</summary>
    public CameraStatistics Statistics => new(
        Volatile.Read(ref _packets),
        Volatile.Read(ref _bytes),
        Volatile.Read(ref _frames),
        Volatile.Read(ref _dropped),
        Volatile.Read(ref _corrupt),
        Volatile.Read(ref _decodeErrors),
        Volatile.Read(ref _connections),
        Volatile.Read(ref _reconnects),
        Volatile.Read(ref _lastFrameTime));

    /// <summary>
    /// Time from a frame's arrival to its publication: of a camera, since the packet that completed the picture was received; of a paced file or pattern,
    /// since the frame was due. Counted of every published frame.
    /// </summary>
    public LatencyHistogram Latency { get; } = new();

    /// <summary>Starts the thread. Once.</summary>
    /// <exception cref="InvalidOperationException">The pump was started or disposed of before.</exception>
    public void Start()
    {
        lock (_lock)
        {
            if (_isStarted || _isDisposed)
            {
                throw new InvalidOperationException("A camera pump is started once.");
            }

            _isStarted = true;
            _thread.Start();
        }
    }

    /// <summary>Stops reading and waits for the thread to end. May be called again.</summary>
    /// <param name="timeout">How long to wait.</param>
    /// <returns>Whether the thread has ended: then the publisher is the caller's again.</returns>
    public bool Stop(TimeSpan timeout)
    {
        lock (_lock)
        {
            if (!_isDisposed)
            {
                _stopped.Set();
            }

            _source?.Abort();
            if (!_isStarted)
            {
                return true;
            }
        }

        return _thread.Join(timeout);
    }

    /// <summary>Waits until the pump's thread has ended: by itself in a final state, or after <see cref="Stop"/>.</summary>
    /// <param name="timeout">How long to wait; zero only asks.</param>
    /// <returns>Whether no thread runs; so it is before <see cref="Start"/> too.</returns>
    public bool WaitForEnd(TimeSpan timeout)
    {
        lock (_lock)
        {
            if (!_isStarted)
            {
                return true;
            }
        }

        return _thread.Join(timeout);
    }

    /// <summary>Makes frames for a rendition too, from the next one on. The rendition becomes the pump's.</summary>
    /// <param name="rendition">The rendition.</param>
    /// <exception cref="InvalidOperationException">The pump was disposed of, or has the rendition already.</exception>
    /// <exception cref="MediaException">The rendition lies in device memory, and the camera's frames do not lie there too.</exception>
    public void Add(Rendition rendition)
    {
        ArgumentNullException.ThrowIfNull(rendition);
        if (rendition.Publisher.Cuda is { } cuda && cuda.Handle != _publisher.Cuda?.Handle)
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"Rendition '{rendition.Publisher.Key}' lies in the memory of {cuda.Device.Name}, and the camera's frames are not in the same context there.");
        }

        lock (_lock)
        {
            if (_isDisposed || _renditions.Contains(rendition))
            {
                throw new InvalidOperationException("A rendition is given to one camera pump, once, and before that is disposed of.");
            }

            CameraStatus status = _status;
            if (status.IsIdle || status.State is not (CameraState.Starting or CameraState.Live))
            {
                TellState(rendition, status);
            }

            Volatile.Write(ref _renditions, [.. _renditions, rendition]);
        }
    }

    /// <summary>Ends a rendition: its readers are told and its key is free at once. The pump disposes of it.</summary>
    /// <param name="rendition">One that the pump has; any other is left alone.</param>
    public void Remove(Rendition rendition)
    {
        ArgumentNullException.ThrowIfNull(rendition);
        lock (_lock)
        {
            if (!_renditions.Contains(rendition))
            {
                return;
            }

            rendition.Publisher.Close();
            Volatile.Write(ref _renditions, Array.FindAll(_renditions, other => !ReferenceEquals(other, rendition)));
            _removed.Add(rendition);
            Volatile.Write(ref _hasRemoved, true);
            if (!_isStarted || !_thread.IsAlive)
            {
                DisposeOfRemoved();
            }
        }
    }

    /// <summary>Stops, waiting at most 2 s. The publisher is not disposed of; renditions are.</summary>
    public void Dispose()
    {
        bool hasEnded = Stop(DisposeTimeout);
        lock (_lock)
        {
            _isDisposed = true;
            if (hasEnded)
            {
                _stopped.Dispose();
                _removed.AddRange(_renditions);
                Volatile.Write(ref _renditions, []);
                DisposeOfRemoved();
            }
        }
    }

    private void Run()
    {
        try
        {
            while (!_stopped.IsSet)
            {
                Exception? error = RunOnce(out bool isAtEnd);
                if (_stopped.IsSet)
                {
                    break;
                }

                if (error is null && isAtEnd)
                {
                    if (_isLoop)
                    {
                        continue;
                    }

                    SetStatus(CameraState.Ended, "The source came to its end.", null);
                    return;
                }

                if (!Retry(error))
                {
                    return;
                }
            }

            SetStatus(CameraState.Ended, "The camera was stopped.", null);
        }
        catch (Exception e)
        {
            // The outermost loop of the thread: whatever it is, one camera's fault must not end the process.
            SetStatus(CameraState.Failed, $"An internal error stopped this camera ({e.GetType().Name}: {e.Message}). Please report it.", e);
        }
        finally
        {
            Beat(CameraStep.Waiting);
        }
    }

    /// <summary>Opens the source and publishes until it ends or is lost.</summary>
    /// <returns>Why it was lost; null at a regular end.</returns>
    private Exception? RunOnce(out bool isAtEnd)
    {
        isAtEnd = false;
        Beat(CameraStep.Opening);
        if (_status.State == CameraState.Starting)
        {
            // What is lost stays lost until frames come, however often it is tried: since when, and why, is what people want to know.
            SetStatus(CameraState.Connecting, $"Opening {SourceName}.", null);
        }

        IPictureSource? source = null;
        try
        {
            source = MakeSource();
            lock (_lock)
            {
                _source = source;
                if (_stopped.IsSet)
                {
                    return null;
                }
            }

            source.Open();
            Volatile.Write(ref _connections, _connections + 1);
            Volatile.Write(ref _reconnects, _reconnects + (_wasLost ? 1 : 0));
            _timeline.BeginRun(_wasLost, source.Info);
            _wasLost = false;
            long frames = _frames + _dropped;
            if (_options.OnDemand)
            {
                PublishOnDemand((MediaSource)source);
            }
            else
            {
                PublishAll(source);
            }

            if (_frames + _dropped == frames && !(_options.OnDemand && source.Packets > 0))
            {
                return new MediaException(MediaError.InvalidData, $"{SourceName} ended without a single picture. Check that it holds video that is not damaged.");
            }

            isAtEnd = _options.Pattern is not null || _options.Source!.Url.IsFile || (!source.Info.IsLive && source.Info.Duration is not null);
            return isAtEnd ? null : new MediaException(MediaError.InputOutput, $"{SourceName} ended the connection.");
        }
        catch (CuFramesException e)
        {
            return e;
        }
        catch (LinuxException e) when (e.Errno is Errno.ENOMEM or Errno.ENOSPC or Errno.EMFILE or Errno.ENFILE)
        {
            // There is room for it at another time.
            return new CuFramesException(ErrorCode.OutOfResources, e.Message, e);
        }
        finally
        {
            lock (_lock)
            {
                _source = null;
            }

            Beat(CameraStep.Closing);
            if (source is not null)
            {
                Count(source);
                _packetsBefore = _packets;
                _bytesBefore = _bytes;
                _decodeErrorsBefore = _decodeErrors;
                source.Dispose();
                _scratch.Dispose();
            }
        }
    }

    private IPictureSource MakeSource()
    {
        if (_options.Pattern is { } pattern)
        {
            return new TestPatternSource(pattern, _publisher.Cuda);
        }

        MediaSourceOptions options = _options.Source!;
        return new MediaSource(
            options with
            {
                // Frames are copied in the ring's own context. For a ring in main memory only who asks for NVDEC by name gets it.
                Cuda = _publisher.Cuda ?? (options.Decode == DecodeMode.Nvdec ? options.Cuda : null),
            },
            _feed,
            beginsAsleep: _options.OnDemand)
        {
            OnPacket = BeatReading,
        };
    }

    /// <summary>Waits before the next attempt.</summary>
    /// <returns>False when there is none.</returns>
    private bool Retry(Exception? error)
    {
        _wasLost |= _frames > 0;
        Beat(CameraStep.Waiting);
        if (_isLive && MonotonicClock.NowNanoseconds - _liveSince >= _options.StableAfter.Ticks * 100)
        {
            _delay.Reset();
        }

        _isLive = false;
        string reason = error?.Message ?? "The source was lost.";
        // No attempt will ever change these.
        if (!_options.Retry || error is MediaException { Error: MediaError.InvalidArgument or MediaError.LibraryMissing or MediaError.UnsupportedProtocol })
        {
            SetStatus(CameraState.Failed, reason, error);
            return false;
        }

        if (error is MediaException { Error: MediaError.Unauthorized or MediaError.Forbidden })
        {
            _delay.Slow();
        }

        TimeSpan delay = _delay.Next();
        bool isRefused = error is MediaException { Error: MediaError.NotAdmitted };
        SetStatus(CameraState.SourceLost, isRefused ? $"{reason} Next attempt within {delay.TotalSeconds:0.0} s." : reason, error, delay);
        if (isRefused && _options.Source?.Admission is { IsFull: true } admission)
        {
            WaitForRoom(admission, delay);
        }
        else
        {
            _stopped.Wait(delay);
        }

        return true;
    }

    /// <summary>Waits until the limit of decoder sessions has room, at most for a time, and not when the pump is stopped.</summary>
    private void WaitForRoom(DecoderAdmission admission, TimeSpan time)
    {
        // Rooms are looked for rather than announced: cameras come and go seldom.
        TimeSpan step = TimeSpan.FromMilliseconds(200);
        for (long end = Environment.TickCount64 + (long)time.TotalMilliseconds; admission.IsFull && Environment.TickCount64 < end;)
        {
            if (_stopped.Wait(step))
            {
                return;
            }
        }
    }

    /// <summary>Publishes packets all the time, and frames while somebody reads them or a rendition.</summary>
    private void PublishOnDemand(MediaSource source)
    {
        (_isIdle, _unreadSince, _wakeRetryAt, _wakeObstacle) = (false, 0, 0, null);
        bool isBegun = HasReaders();
        while (!_stopped.IsSet && (isBegun || PassPackets(source)))
        {
            try
            {
                if (isBegun)
                {
                    // Somebody has read what came before, or waits: the connection or the loop begins like any other.
                    isBegun = false;
                    source.BeginAwake();
                }

                PublishAll(source);
                if (source.IsAwake)
                {
                    return;
                }
            }
            catch (Exception error) when (IsOfDecoder(error))
            {
                source.Sleep();
                ReportSleepless(error);
            }
        }
    }

    /// <summary>Whether it is the decoder or the ring of frames that failed: the packets can go on.</summary>
    private static bool IsOfDecoder(Exception error) =>
        error is LinuxException or CudaException ||
        error is MediaException { Error: MediaError.NotAdmitted or MediaError.NvdecUnsupported or MediaError.UnsupportedCodec or MediaError.UnsupportedFormat } ||
        (error is CuFramesException { Code: ErrorCode.OutOfResources or ErrorCode.FormatUnsupported } and not MediaException);

    /// <summary>Reads and publishes packets until somebody wants frames and a decoder is open.</summary>
    /// <returns>False at the end of the source, and when the pump was stopped.</returns>
    private bool PassPackets(MediaSource source)
    {
        bool isPaced = _options.Source!.Paced ?? !source.Info.IsLive;
        bool hasPace = false;
        long paceTime = 0, paceDts = 0;
        while (!_stopped.IsSet)
        {
            if (HasReaders())
            {
                if (MonotonicClock.NowNanoseconds >= _wakeRetryAt && TryWake(source))
                {
                    return true;
                }
            }
            else if (source.Packets > 0)
            {
                BeIdle(source);
            }

            Beat(CameraStep.Reading);
            if (!source.TryPassPacket(out long dts))
            {
                return false;
            }

            Count(source);
            if (isPaced && dts != FrameMetadata.UnknownPts)
            {
                long due = paceTime + (dts - paceDts), now = MonotonicClock.NowNanoseconds;
                if (!hasPace || due < now - LargestDelay || due > now + LargestDelay)
                {
                    (hasPace, paceTime, paceDts, due) = (true, now, dts, now);
                }

                WaitForReaders(due);
            }
        }

        return false;
    }

    /// <summary>Holds packets back, but nobody who comes meanwhile.</summary>
    private void WaitForReaders(long due)
    {
        bool isWanted = HasReaders();
        Beat(CameraStep.Waiting);
        for (long milliseconds; (milliseconds = (due - MonotonicClock.NowNanoseconds + 500_000) / 1_000_000) > 0;)
        {
            if (_stopped.Wait((int)Math.Min(milliseconds, ReaderCheckMilliseconds)) || (!isWanted && HasReaders()))
            {
                return;
            }
        }
    }

    private bool HasReaders()
    {
        if (_publisher.SubscriberCount > 0)
        {
            return true;
        }

        foreach (Rendition rendition in Volatile.Read(ref _renditions))
        {
            if (rendition.Publisher.SubscriberCount > 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether nobody has read for so long that the decoder is closed.</summary>
    private bool HasBeenUnread(long now)
    {
        if (HasReaders())
        {
            _unreadSince = 0;
            return false;
        }

        _unreadSince = _unreadSince == 0 ? now : _unreadSince;
        return now - _unreadSince >= _options.IdleAfter.Ticks * 100;
    }

    private bool TryWake(MediaSource source)
    {
        try
        {
            if (source.TryWake())
            {
                (_unreadSince, _hasPace, _wakeObstacle) = (0, false, null);
                return true;
            }

            TellWait(_feed!.HasHadKey
                ? "Waiting for the next key frame: the ring of packets no longer holds the last one. Give packets more memory or time, or the camera a shorter distance of key frames."
                : "Waiting for the first key frame.");
        }
        catch (MediaException error) when (IsOfDecoder(error))
        {
            ReportSleepless(error);
        }

        return false;
    }

    /// <summary>Tells readers what they wait for, once.</summary>
    private void TellWait(string text)
    {
        if (text != _wakeObstacle)
        {
            _wakeObstacle = text;
            _isIdle = false;
            _publisher.SetState(_publisher.Head == 0 ? StreamState.Starting : StreamState.Live, text);
        }
    }

    /// <summary>Somebody reads and nothing can be decoded now. Packets go on.</summary>
    private void ReportSleepless(Exception error)
    {
        _wakeRetryAt = MonotonicClock.NowNanoseconds + WakeRetryDelay;
        _isIdle = false;
        if (error.Message != _wakeObstacle)
        {
            _wakeObstacle = error.Message;
            SetStatus(CameraState.SourceLost, error.Message, error, TimeSpan.FromTicks(WakeRetryDelay / 100), packetsGoOn: true);
        }
    }

    /// <summary>Nobody reads: the memory of the frames is given back, and who asks is told.</summary>
    private void BeIdle(MediaSource source)
    {
        if (_isIdle || !_publisher.TryRest())
        {
            return;
        }

        (_isIdle, _wakeRetryAt, _wakeObstacle) = (true, 0, null);
        if (!_isLive)
        {
            _isLive = true;
            _liveSince = MonotonicClock.NowNanoseconds;
        }

        MediaInfo info = source.Info;
        SetStatus(CameraState.Live, $"{IdleText}; {info.Codec} {info.Width}x{info.Height} from {SourceName}.", null, info: info, isIdle: true);
    }

    private void PublishAll(IPictureSource source)
    {
        bool isPaced = _options.Pattern?.Paced ?? _options.Source!.Paced ?? !source.Info.IsLive;
        bool hasFrame = TryRead(source, out MediaFrame frame);
        while (hasFrame && !_stopped.IsSet)
        {
            FrameMetadata metadata = frame.Metadata;
            Beat(CameraStep.Publishing);
            if (_feed is null && _options.Source is not null)
            {
                // The number is one of our own, and there is no ring in which anybody could look for it (docs/protocol.md 14.14).
                metadata.SourcePacket = 0;
            }

            _timeline.Place(ref metadata, MonotonicClock.NowNanoseconds, frame.IsWaking);
            Configure(source, in frame);

            // The picture of a decoder that has just woken up is due at once.
            if (isPaced && !frame.IsWaking)
            {
                if (!WaitUntilDue(metadata.Pts))
                {
                    return;
                }

                // A paced source plays the part of a camera, whose frame arrives when it is due: readers' latency must not hold our own wait.
                metadata.ArrivalTime = MonotonicClock.NowNanoseconds;
            }

            // It may wait for lossless readers.
            Beat(CameraStep.Waiting);
            bool hasSlot = _publisher.TryBeginFrame(out FrameWriter writer);
            Beat(CameraStep.Publishing);
            if (!hasSlot)
            {
                Volatile.Write(ref _dropped, _dropped + 1);
                BeginRenditions(source, in frame, in metadata);
                EndRenditions(FrameFlags.None);
                Count(source);
                hasFrame = !TrySleep(source) && TryRead(source, out frame);
                continue;
            }

            using (writer)
            {
                Copy(source, in writer);
                writer.Metadata = metadata;
                if (_hasEnd && !frame.IsWaking)
                {
                    BeginRenditions(source, in frame, in metadata);

                    // Only the next read tells whether this frame is the last one. A file answers at once.
                    hasFrame = ReadAhead(source, in writer, ref frame);
                    Count(source, in metadata, metadata.Flags);
                    hasFrame = hasFrame && !TrySleep(source);
                    continue;
                }

                Publish(source, in writer);
            }

            BeginRenditions(source, in frame, in metadata);
            EndRenditions(FrameFlags.None);
            Count(source, in metadata, metadata.Flags);
            hasFrame = !TrySleep(source) && TryRead(source, out frame);
        }
    }

    private bool TryRead(IPictureSource source, out MediaFrame frame)
    {
        Beat(CameraStep.Reading);
        if (FaultInjection.FaultyCamera is { } faulty && faulty == _publisher.Key)
        {
            throw new InvalidOperationException("A fault was injected.");
        }

        return source.TryReadFrame(out frame);
    }

    private void BeatReading() => Beat(CameraStep.Reading);

    private void Beat(CameraStep step) => Volatile.Write(ref _heartbeat, (MonotonicClock.NowNanoseconds & ~StepMask) | (long)step);

    /// <summary>Closes the decoder of a camera that is decoded on demand, when it is time.</summary>
    private bool TrySleep(IPictureSource source)
    {
        if (!_options.OnDemand || !HasBeenUnread(MonotonicClock.NowNanoseconds))
        {
            return false;
        }

        ((MediaSource)source).Sleep();
        return true;
    }

    /// <summary>Copies the source's frame into the slot; in device memory the copy may still be under way.</summary>
    private void Copy(IPictureSource source, in FrameWriter writer)
    {
        int count = writer.PlaneCount;
        if (writer.Memory == MemoryDomain.Cuda)
        {
            for (int plane = 0; plane < count; plane++)
            {
                _cudaPlanes[plane] = new CudaPlane(writer.DeviceAddress(plane), writer.Pitch(plane));
            }

            source.EnqueueCopy(_cudaPlanes.AsSpan(0, count));
            return;
        }

        for (int plane = 0; plane < count; plane++)
        {
            _planes[plane] = new PicturePlane(writer.PlaneAddress(plane), (nuint)writer.Pitch(plane));
        }

        source.CopyFrame(_planes.AsSpan(0, count));
    }

    /// <summary>Announces the slot, after its copy has finished.</summary>
    private static void Publish(IPictureSource source, in FrameWriter writer)
    {
        if (writer.Memory == MemoryDomain.Cuda)
        {
            writer.Publish(source.Stream!);
        }
        else
        {
            writer.Publish();
        }
    }

    private bool ReadAhead(IPictureSource source, in FrameWriter writer, ref MediaFrame frame)
    {
        bool hasFrame = false;
        bool isKnown = false;
        try
        {
            hasFrame = TryRead(source, out frame);
            Beat(CameraStep.Publishing);
            isKnown = true;
        }
        finally
        {
            // A frame that is written is published, even when the file cannot be read any further.
            FrameFlags end = isKnown && !hasFrame ? FrameFlags.EndOfStream : 0;
            writer.Metadata.Flags |= end;
            try
            {
                Publish(source, in writer);
            }
            finally
            {
                EndRenditions(end);
            }

            if (!isKnown)
            {
                Count(source, in writer.Metadata, writer.Metadata.Flags);
            }
        }

        return hasFrame;
    }

    /// <summary>Makes the frames of all renditions from the source's current one. After the camera's own frame: that has no need to wait for them.</summary>
    private void BeginRenditions(IPictureSource source, in MediaFrame frame, in FrameMetadata metadata)
    {
        foreach (Rendition rendition in Volatile.Read(ref _renditions))
        {
            rendition.Begin(source, in frame, in metadata, _scratch);
        }
    }

    /// <summary>Publishes what was begun. A rendition that came in between has nothing; one that went has ended, and its frame with it.</summary>
    private void EndRenditions(FrameFlags flags)
    {
        foreach (Rendition rendition in Volatile.Read(ref _renditions))
        {
            rendition.End(flags);
        }

        if (Volatile.Read(ref _hasRemoved))
        {
            lock (_lock)
            {
                DisposeOfRemoved();
            }
        }
    }

    /// <summary>Under _lock, on the pump's thread or after its end.</summary>
    private void DisposeOfRemoved()
    {
        _removed.ForEach(rendition => rendition.Dispose());
        _removed.Clear();
        Volatile.Write(ref _hasRemoved, false);
    }

    /// <summary>Tells a rendition's readers of a camera that is not live.</summary>
    private void TellState(Rendition rendition, CameraStatus status)
    {
        (CameraState state, string reason) = (status.State, status.Reason);
        switch (state)
        {
            case CameraState.Live when status.IsIdle && rendition.Publisher.SubscriberCount == 0:
                rendition.SetState(rendition.Publisher.Head == 0 ? StreamState.Starting : StreamState.Live, Rendition.IdleText + ".");
                break;
            case CameraState.Connecting when _frames == 0:
                rendition.SetState(StreamState.Starting, reason);
                break;
            case CameraState.SourceLost:
                rendition.SetState(StreamState.SourceLost, reason);
                break;
            case CameraState.Ended when !_stopped.IsSet:
            case CameraState.Failed:
                rendition.SetState(StreamState.Ended, reason);
                break;
        }
    }

    private void Configure(IPictureSource source, in MediaFrame frame)
    {
        if (_format.PixelFormat == frame.Format && _format.Width == frame.Width && _format.Height == frame.Height)
        {
            return;
        }

        StreamFormat format = new(frame.Format, frame.Width, frame.Height)
        {
            FrameRateNumerator = (uint)source.Info.FrameRateNumerator,
            FrameRateDenominator = (uint)source.Info.FrameRateDenominator,
            ColourMatrix = frame.Metadata.ColourMatrix,
            ColourRange = frame.Metadata.ColourRange,
            ColourPrimaries = frame.Metadata.ColourPrimaries,
            ColourTransfer = frame.Metadata.ColourTransfer,
        };
        _publisher.Configure(format);
        _format = format;
        _conversion = frame.IsConverted
            ? $" Frames are converted from {frame.SourceFormat} to {PixelFormats.Name(frame.Format)}, which costs time and samples; a source in 4:2:0 needs no conversion."
            : null;
        if (_isLive)
        {
            Report(source);
        }
    }

    /// <summary>Holds a frame back until its presentation time.</summary>
    /// <returns>False when the pump was stopped meanwhile.</returns>
    private bool WaitUntilDue(long pts)
    {
        long now = MonotonicClock.NowNanoseconds;
        long due = _paceTime + (pts - _pacePts);
        if (!_hasPace || due < now - LargestDelay)
        {
            _hasPace = true;
            _paceTime = now;
            _pacePts = pts;
            return true;
        }

        Beat(CameraStep.Waiting);

        // A wait of whole milliseconds may end a millisecond early: then there is a rest to wait for.
        for (long milliseconds; (milliseconds = (due - MonotonicClock.NowNanoseconds + 500_000) / 1_000_000) > 0;)
        {
            if (_stopped.Wait((int)Math.Min(milliseconds, int.MaxValue)))
            {
                return false;
            }
        }

        return true;
    }

    private void Count(IPictureSource source)
    {
        Volatile.Write(ref _packets, _packetsBefore + source.Packets);
        Volatile.Write(ref _bytes, _bytesBefore + source.Bytes);
        Volatile.Write(ref _decodeErrors, _decodeErrorsBefore + source.DecodeErrors);
    }

    private void Count(IPictureSource source, in FrameMetadata metadata, FrameFlags flags)
    {
        Count(source);
        Latency.Record(_publisher.LastPublishTime - metadata.ArrivalTime);
        Volatile.Write(ref _frames, _frames + 1);
        Volatile.Write(ref _corrupt, _corrupt + ((flags & FrameFlags.Corrupt) != 0 ? 1 : 0));
        Volatile.Write(ref _lastFrameTime, MonotonicClock.NowNanoseconds);
        if (!_isLive)
        {
            _isLive = true;
            _liveSince = _lastFrameTime;
            Report(source);
        }
        else if (_isIdle || _wakeObstacle is not null)
        {
            Report(source);
        }
        else if (source.Info.Decoder != _reportedDecoder)
        {
            // In the middle of a stream NVDEC was found unable to decode what comes now.
            Report(source);
        }
    }

    private void Report(IPictureSource source)
    {
        MediaInfo info = source.Info;
        _decoding = info.Decoder == MediaSource.Nvdec ? " They are decoded by NVDEC."
            : _publisher.Memory == MemoryDomain.Cuda && info.Decoder == MediaSource.Software ? $" They are decoded in software and uploaded. {info.DecoderReason}"
            : null;
        _reportedDecoder = info.Decoder;
        if (_isIdle || _wakeObstacle is not null)
        {
            // What stands beside the state is past.
            (_isIdle, _wakeObstacle) = (false, null);
            _publisher.SetState(StreamState.Live);
        }

        SetStatus(CameraState.Live, LiveReason(), null, info: info);
    }

    private string SourceName => _options.Source?.Url.Display ?? "the test pattern";

    private string LiveReason() => $"Frames of {_format} come from {SourceName}.{_conversion}{_decoding}";

    private void SetStatus(
        CameraState state, string reason, Exception? error, TimeSpan retryDelay = default, MediaInfo? info = null, bool isIdle = false, bool packetsGoOn = false)
    {
        if (_options.Source is { } source)
        {
            reason = source.Url.Redact(reason);
        }

        long since = (_status.State, _status.IsIdle) == (state, isIdle) ? _status.Since : MonotonicClock.NowNanoseconds;
        CameraStatus status = new(
            state, reason, (error as CuFramesException)?.Code ?? ErrorCode.None, (error as MediaException)?.Error, since, info ?? _status.Info, retryDelay)
        {
            IsIdle = isIdle,
        };
        lock (_lock)
        {
            // A rendition that is added at this moment is told by Add or here.
            Volatile.Write(ref _status, status);
            Array.ForEach(_renditions, rendition => TellState(rendition, status));
        }

        switch (state)
        {
            case CameraState.Connecting when _frames == 0:
                _publisher.SetState(StreamState.Starting, reason);
                break;
            case CameraState.Live when isIdle:
                _publisher.SetState(_publisher.Head == 0 ? StreamState.Starting : StreamState.Live, reason);
                break;
            case CameraState.SourceLost:
                _publisher.SetState(StreamState.SourceLost, reason);
                break;
            case CameraState.Ended when !_stopped.IsSet:
            case CameraState.Failed:
                _publisher.SetState(StreamState.Ended, reason);
                break;
        }

        // Live it becomes with its first packet.
        switch (state)
        {
            case CameraState.Connecting when _packetPublisher is { Head: 0 }:
                _packetPublisher.SetState(StreamState.Starting, reason);
                break;
            case CameraState.SourceLost when !packetsGoOn:
                _packetPublisher?.SetState(StreamState.SourceLost, reason);
                break;
            case CameraState.Ended when !_stopped.IsSet:
            case CameraState.Failed:
                _packetPublisher?.SetState(StreamState.Ended, reason);
                break;
        }

        _onStatus?.Invoke(status);
    }
}
