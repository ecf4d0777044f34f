using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>One file of a recording.</summary>
internal sealed class RecordFile : IDisposable
{
    private readonly FileStream _stream;
    private readonly PacketMuxer _muxer;
    private readonly TrackParameters?[] _parameters = new TrackParameters?[PacketBlockLayout.TrackCapacity];
    private readonly long _firstArrival;
    private long _lastArrival;

    // What is certainly in the file: its length, and the packets, when the muxer last brought something out.
    private long _wholeBytes;
    private long _wholePackets;
    private long _given;
    private bool _isAbandoned;

    /// <summary>Begins a file.</summary>
    /// <param name="stream">The empty file, which is this object's from here on.</param>
    /// <param name="container">What it becomes.</param>
    /// <param name="tracks">The tracks in it.</param>
    /// <param name="begin">Wall clock of its first packet.</param>
    /// <param name="arrival">Arrival of its first packet.</param>
    public RecordFile(FileStream stream, PacketContainer container, IReadOnlyList<PacketTrack> tracks, DateTimeOffset begin, long arrival)
    {
        _stream = stream;
        _muxer = new PacketMuxer(stream, container, tracks);
        Begin = begin;
        _firstArrival = _lastArrival = arrival;
        foreach (PacketTrack track in tracks)
        {
            _parameters[track.Number] = track.Parameters;
        }
    }

    public string Path => _stream.Name;

    public DateTimeOffset Begin { get; }

    public long Bytes { get; private set; }

    public long Written { get; private set; }

    public long Refused { get; private set; }

    public long Held { get; private set; }

    /// <summary>Packets that were given to the muxer and are not in the file, because it could not be written.</summary>
    public long Failed { get; private set; }

    public long TimesRepaired { get; private set; }

    /// <summary>Whether a packet can go into this file: its track is in it, with these parameters.</summary>
    public bool Fits(in Packet packet)
    {
        int track = packet.Track.Number;
        if (_parameters[track] is not { } known)
        {
            return false;
        }

        if (ReferenceEquals(known, packet.Parameters))
        {
            return true;
        }

        // Another unit of time alone is no other coding.
        if (known != packet.Parameters with { TimeBaseNumerator = known.TimeBaseNumerator, TimeBaseDenominator = known.TimeBaseDenominator })
        {
            return false;
        }

        _parameters[track] = packet.Parameters;
        return true;
    }

    /// <summary>Writes a packet.</summary>
    /// <inheritdoc cref="PacketMuxer.Write" path="/exception"/>
    public void Write(in Packet packet)
    {
        long before = _muxer.BytesWritten;
        try
        {
            _muxer.Write(packet);
            _given++;
        }
        catch (PacketLostException)
        {
            throw;
        }
        catch (Exception error)
        {
            _given++;
            if (!IsOfPacket(error))
            {
                Abandon();
            }

            throw;
        }
        finally
        {
            Count();
        }

        _lastArrival = packet.ArrivalTime;
        if (_muxer.BytesWritten != before)
        {
            // What came out ends with what was given before this packet, except in MPEG-TS, where it may be in it.
            _wholeBytes = _muxer.BytesWritten;
            _wholePackets = _muxer.Container == PacketContainer.MpegTs ? Written : Math.Max(Written - 1, 0);
        }
    }

    /// <summary>Ends the file as its container wants it.</summary>
    /// <returns>Null, or why a packet that was held back is not in it.</returns>
    /// <exception cref="IOException">The disk is full or has failed.</exception>
    public string? Finish()
    {
        string? fault = null;
        try
        {
            try
            {
                _muxer.Finish();
            }
            catch (MediaException error) when (IsOfPacket(error))
            {
                fault = error.Message;
            }

            // A disk may say only now that it has no room.
            _stream.Flush(flushToDisk: true);
            Count();
            return fault;
        }
        catch
        {
            Abandon();
            throw;
        }
    }

    public RecordFileReport Report(string reason) =>
        new("file", Path, Begin, Math.Round((_lastArrival - _firstArrival) / 1e9, 3), Written, Bytes, reason);

    /// <summary>Closes the file; one without a byte is taken away.</summary>
    public void Dispose()
    {
        _muxer.Dispose();
        bool isEmpty = _stream.Length == 0;
        _stream.Dispose();
        if (isEmpty)
        {
            File.Delete(Path);
        }
    }

    /// <summary>Whether an error is one packet's, so that the file goes on.</summary>
    public static bool IsOfPacket(Exception error) => error is PacketLostException or MediaException { Error: MediaError.InvalidData };

    /// <summary>The file could not be written on: what is in it is cut back to its last whole piece, so that it plays to its end.</summary>
    private void Abandon()
    {
        Count();
        _isAbandoned = true;
        long inFile = Math.Min(_wholePackets, Written);
        Failed = _given - inFile - Refused;
        Written = inFile;
        Held = 0;
        if (_stream.Length > _wholeBytes)
        {
            _stream.SetLength(_wholeBytes);
        }

        Bytes = _stream.Length;
    }

    private void Count()
    {
        if (!_isAbandoned)
        {
            (Bytes, Written, Refused, Held, TimesRepaired) = (_muxer.BytesWritten, _muxer.PacketsWritten, _muxer.PacketsRefused, _muxer.PacketsHeld, _muxer.TimesRepaired);
        }
    }
}
