using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>
/// Takes the packets of a stream and writes each into a file, or counts why not. Files begin at key frames, and a new one begins where one file
/// could not go on: after an interruption of the source, with new parameters, in another run of the publisher.
/// </summary>
internal sealed class RecordSession : IDisposable
{
    /// <summary>Packets that wait for the next file's key frame; more than a camera's second of sound, and bounded.</summary>
    private const int MostPending = 4096;

    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(100);

    private readonly RecordOptions _options;
    private readonly Action<RecordFileReport> _onFile;
    private readonly Action<string> _onEvent;
    private readonly long _started = MonotonicClock.NowNanoseconds;

    // Packets other than pictures that come after the end of one file and before the key frame that begins the next. They are not copied: a ring
    // that is too small to keep them until then loses them, and they are counted.
    private readonly Queue<Packet> _pending = new();

    // Tracks that have told of the newest interruption of the source.
    private readonly bool[] _sawInterruption = new bool[PacketBlockLayout.TrackCapacity];
    private readonly bool[] _toldNotCarried = new bool[PacketBlockLayout.TrackCapacity];

    private PacketSubscriber? _subscriber;

    // Of the present connection, as of the newest track that was seen.
    private int _knownTracks;
    private int _pictureTrack = -1;
    private PacketPosition? _last;
    private RecordFile? _file;
    private DateTimeOffset _fileEnd = DateTimeOffset.MaxValue;

    // Until the next key frame pictures cannot be decoded.
    private bool _awaitsKey;
    private bool _wasInterrupted;

    private int _files;
    private long _bytes;
    private long _published;
    private long _written;
    private long _overwritten;
    private long _noKey;
    private long _damaged;
    private long _notCarried;
    private long _failed;
    private long _timesRepaired;
    private int _reconnects;

    /// <summary>Makes a recorder. Nothing is read or written yet.</summary>
    /// <param name="options">What is recorded.</param>
    /// <param name="onFile">Is told of each file that was closed.</param>
    /// <param name="onEvent">Is told what happens, a sentence each.</param>
    public RecordSession(RecordOptions options, Action<RecordFileReport> onFile, Action<string> onEvent) => (_options, _onFile, _onEvent) = (options, onFile, onEvent);

    /// <summary>The last thing that happened.</summary>
    public string? LastEvent { get; private set; }

    /// <summary>Packets that were taken.</summary>
    public long Taken { get; private set; }

    /// <summary>Takes one packet, if one comes in time, and does what is to be done with it.</summary>
    /// <exception cref="CuFramesException">The stream may not be read, or a file cannot be written.</exception>
    public void TakeOne(TimeSpan timeout)
    {
        if (_subscriber is null && !Connect(timeout))
        {
            return;
        }

        Packet packet;
        try
        {
            if (!_subscriber!.TryNext(timeout, out packet))
            {
                return;
            }
        }
        catch (StreamUnavailableException error)
        {
            // What the publisher left in its ring is there still.
            while (_subscriber!.TryTake(out packet))
            {
                Take(packet);
            }

            Tell(error.Message);
            if (error.Code is ErrorCode.ShuttingDown or ErrorCode.Disconnected)
            {
                // It may take long until somebody publishes again: the file is made whole now.
                EndFile("publisher");
            }

            Disconnect();
            return;
        }

        Take(packet);
    }

    /// <summary>Ends the recording: closes the file.</summary>
    /// <exception cref="CuFramesException">The file cannot be written.</exception>
    public void Finish()
    {
        // What has come so far belongs to the recording.
        EndFile("end");
        DropPending();
    }

    public RecordReport Report(string type)
    {
        RecordMissed missed = new(_overwritten, _noKey, _damaged + (_file?.Refused ?? 0), _notCarried, _failed);
        string state = _subscriber is { IsConnected: true } ? Words.CodeOf(_subscriber.State) : "waiting";
        return new RecordReport(
            type, _options.Key, state, Math.Round((MonotonicClock.NowNanoseconds - _started) / 1e9, 3), _file?.Path, _files, _bytes + (_file?.Bytes ?? 0), _published,
            _written + (_file?.Written ?? 0), (_file?.Held ?? 0) + _pending.Count, missed, _timesRepaired + (_file?.TimesRepaired ?? 0), _reconnects, LastEvent);
    }

    public void Dispose()
    {
        _file?.Dispose();
        _subscriber?.Dispose();
    }

    private bool Connect(TimeSpan patience)
    {
        PacketSubscriberOptions options = new()
        {
            Program = "cuframes record",
            // A new run of the publisher is recorded from its first key frame on, and the same one from where we were.
            Start = _last is null ? _options.Start : PacketStart.OldestKey,
            StartAfter = _last,
            Reconnect = false,
            WaitForStream = _last is null,
            OnEvent = happening =>
            {
                if (happening.Kind is SubscriberEventKind.SourceLost or SubscriberEventKind.SourceBack || (happening.Kind == SubscriberEventKind.Connected && _last is not null))
                {
                    Tell(happening.Text);
                }
            },
        };
        try
        {
            _subscriber = PacketSubscriber.Connect(_options.Key, options);
            _reconnects += _last is null ? 0 : 1;
            return true;
        }
        catch (StreamUnavailableException error) when (
            _last is not null && error.Code is ErrorCode.StreamNotFound or ErrorCode.Disconnected or ErrorCode.HandshakeTimeout or ErrorCode.ShuttingDown)
        {
            // Nothing announces a publisher's return but its socket: trying again after a pause is what there is to do.
            Thread.Sleep(patience < RetryPause ? patience : RetryPause);
            return false;
        }
    }

    private void Disconnect()
    {
        // The packets that wait lie in the ring of this connection.
        DropPending();
        _subscriber!.Dispose();
        _subscriber = null;
        _knownTracks = 0;
    }

    private void Take(in Packet packet)
    {
        Taken++;
        bool isPlaced = false;
        try
        {
            Account(packet);
            Place(packet, ref isPlaced);
        }
        catch (CuFramesException)
        {
            // The recording ends here: what was on its way is in no file.
            _failed += (isPlaced ? 0 : 1) + _pending.Count;
            _pending.Clear();
            throw;
        }
    }

    /// <summary>Finds a packet's file, or the reason why it is in none.</summary>
    private void Place(in Packet packet, ref bool isPlaced)
    {
        if (!IsCarried(packet.Track))
        {
            _notCarried++;
            isPlaced = true;
            return;
        }

        int pictures = PictureTrack(packet.Track);
        bool isPicture = packet.Track.Number == pictures;
        bool canBegin = pictures < 0 || (isPicture && packet.IsKey);
        if ((packet.Flags & PacketFlags.Discontinuity) != 0)
        {
            Interrupt(packet.Track.Number);
        }

        if (_file is not null && canBegin)
        {
            if (WallClockOf(packet) >= _fileEnd)
            {
                EndFile("time");
            }
            else if (!_file.Fits(packet) || _pending.Count > 0)
            {
                // What waits is of a track that is new or coded anew: it gets a file in which it can be.
                EndFile("parameters");
            }
        }
        else if (_file is not null && isPicture && !_file.Fits(packet))
        {
            EndFile("parameters");
        }

        if (canBegin)
        {
            _awaitsKey = false;
            if (_file is null)
            {
                BeginFile(packet);
            }
        }

        isPlaced = true;
        if (isPicture && (_file is null || _awaitsKey))
        {
            _noKey++;
        }
        else if (_file is null || !_file.Fits(packet))
        {
            Wait(packet);
        }
        else
        {
            Write(packet);
        }
    }

    /// <summary>Counts what was published up to a packet, from the first one taken on, and what of it was lost on the way.</summary>
    private void Account(in Packet packet)
    {
        if (_last is not { } last)
        {
            _published = 1;
        }
        else if (last.Epoch == packet.Epoch)
        {
            long lost = (long)(packet.Sequence - last.Sequence - 1);
            _published += lost + 1;
            _overwritten += lost;
            if (lost > 0)
            {
                Tell($"{lost} packets were overwritten before they were read; the recording goes on at a key frame.");
            }
        }
        else
        {
            // A new run: what it published before its first key frame that was still there is lost.
            EndFile("publisher");
            DropPending();
            _wasInterrupted = false;
            _awaitsKey = true;
            _published += (long)packet.Sequence;
            _noKey += (long)packet.Sequence - 1;
        }

        _last = packet.Position;
    }

    /// <summary>Number of the track whose key frames files begin with; -1: there is none.</summary>
    private int PictureTrack(PacketTrack taken)
    {
        if (taken.Number >= _knownTracks)
        {
            PacketTrack[] tracks = [.. _subscriber!.Tracks];
            _knownTracks = tracks.Length;
            _pictureTrack = Array.FindIndex(tracks, track => track.Kind == TrackKind.Video);
        }

        return _pictureTrack;
    }

    /// <summary>Data that no reader of the container would know again is left out; pictures and sound are not: that is an error.</summary>
    private bool IsCarried(PacketTrack track)
    {
        if (track.Kind != TrackKind.Data || PacketMuxer.CanCarry(_options.Container, track.Parameters))
        {
            return true;
        }

        if (!_toldNotCarried[track.Number])
        {
            _toldNotCarried[track.Number] = true;
            Tell($"Track {track.Number} is data ('{track.Parameters.CodecName}') that the container cannot carry; it is left out.");
        }

        return false;
    }

    /// <summary>A packet says that the source was interrupted before it. Each track says so once: the first of them ends the file.</summary>
    private void Interrupt(int track)
    {
        if (!_wasInterrupted || _sawInterruption[track])
        {
            Array.Clear(_sawInterruption);
            _wasInterrupted = true;
            EndFile("discontinuity");
            _awaitsKey = true;
        }

        _sawInterruption[track] = true;
    }

    /// <summary>Keeps a packet for the file that the next key frame begins.</summary>
    private void Wait(in Packet packet)
    {
        if (_pending.Count == MostPending)
        {
            _pending.Dequeue();
            _noKey++;
        }

        _pending.Enqueue(packet);
    }

    private void DropPending()
    {
        _noKey += _pending.Count;
        _pending.Clear();
    }

    private void BeginFile(in Packet packet)
    {
        Packet first = _pending.TryPeek(out Packet waiting) ? waiting : packet;
        DateTimeOffset begin = WallClockOf(first);
        FileStream stream = _options.Path.Create(begin, maySuffix: _files > 0 || _options.Path.HasTime);
        try
        {
            PacketTrack[] tracks = [.. _subscriber!.Tracks.Where(IsCarried)];
            _file = new RecordFile(stream, _options.Container, tracks, begin, first.ArrivalTime);
        }
        catch
        {
            stream.Dispose();
            File.Delete(stream.Name);
            throw;
        }

        _files++;
        _fileEnd = _options.Segment is { } length ? SegmentClock.EndOf(begin, length) : DateTimeOffset.MaxValue;
        Tell($"Writing {stream.Name}.");
        while (_pending.TryDequeue(out Packet early))
        {
            if (_file.Fits(early))
            {
                Write(early);
            }
            else
            {
                _noKey++;
            }
        }
    }

    private void Write(in Packet packet)
    {
        try
        {
            _file!.Write(packet);
        }
        catch (PacketLostException)
        {
            _overwritten++;
            _awaitsKey |= packet.Track.Number == PictureTrack(packet.Track);
        }
        catch (MediaException error) when (RecordFile.IsOfPacket(error))
        {
            // Counted by the file.
            Tell(error.Message);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Failed(error);
        }
        catch (CuFramesException)
        {
            CloseFile("error");
            throw;
        }
    }

    private void EndFile(string reason)
    {
        if (_file is null)
        {
            return;
        }

        try
        {
            if (_file.Finish() is { } fault)
            {
                Tell(fault);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Failed(error);
        }

        CloseFile(reason);
    }

    private CuFramesException Failed(Exception error)
    {
        string path = _file!.Path;
        CloseFile("error");
        return new CuFramesException(
            ErrorCode.SystemCallFailed,
            $"{path} cannot be written on: {error.Message} What was written until then is whole and can be played. Check the space on its disk.", error);
    }

    private void CloseFile(string reason)
    {
        RecordFile file = _file!;
        _file = null;
        _bytes += file.Bytes;
        _written += file.Written;
        _damaged += file.Refused;
        _failed += file.Failed;
        _timesRepaired += file.TimesRepaired;
        file.Dispose();
        _onFile(file.Report(reason));
    }

    private void Tell(string text)
    {
        LastEvent = text;
        _onEvent(text);
    }

    private static DateTimeOffset WallClockOf(in Packet packet) =>
        DateTimeOffset.Now.AddTicks((packet.ArrivalTime - MonotonicClock.NowNanoseconds) / 100);
}
