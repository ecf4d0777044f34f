using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>
/// Brings the times of a source's packets to times of one output: from 0 on, growing on each track, and going on where the source's times jump.
/// All tracks are moved alike, so sound stays with its picture. Pure arithmetic; wide enough for every value that a packet can have.
/// </summary>
internal sealed class PacketTimeline
{
    /// <summary>Times that jump ahead by more than this are taken as another clock.</summary>
    internal const long LongestGap = 3_600_000_000_000;

    /// <summary>Times that go back by less than this are taken as disorder, and held at the time before.</summary>
    internal const long LongestStepBack = 1_000_000_000;

    /// <summary>After an interruption that the source tells of, times may differ from what the arrival says by this much and are kept.</summary>
    internal const long LongestDrift = 1_000_000_000;

    // Beyond these no clock is meant: 2^80 ns are 38 million years.
    private static readonly Int128 MaxNanoseconds = Int128.One << 80;

    private readonly Track[] _tracks;

    // What is taken off all times; null before the first packet.
    private Int128? _origin;

    // The largest decoding time of the output so far, and when its packet had arrived.
    private long _newest;
    private long _newestArrival;

    // The source was interrupted, or the first packet had no time: the next time that is known is of another clock.
    private bool _isInterrupted;

    // When the last of the output is over that is shown or heard.
    private long _end;

    /// <summary>Makes a timeline.</summary>
    /// <param name="tracks">Parameters of the tracks; results are in units of their time bases.</param>
    internal PacketTimeline(ReadOnlySpan<TrackParameters> tracks)
    {
        _tracks = new Track[tracks.Length];
        for (int i = 0; i < tracks.Length; i++)
        {
            _tracks[i] = new Track(tracks[i]);
        }
    }

    /// <summary>Packets whose times had to be changed beyond the common offset, because they went back or were not known.</summary>
    internal long Repaired { get; private set; }

    /// <summary>How often the source's times jumped and were joined to those before.</summary>
    internal int Jumps { get; private set; }

    /// <summary>Places a packet.</summary>
    /// <param name="track">Index of its track.</param>
    /// <param name="unit">Parameters that the packet's times are in units of.</param>
    /// <param name="times">Its times.</param>
    /// <returns>Null when its times mean nothing.</returns>
    internal PlacedTimes? Place(int track, TrackParameters unit, in SourceTimes times)
    {
        Track own = _tracks[track];
        Int128? pts = times.Pts == FrameMetadata.UnknownPts ? null : ToNanoseconds(times.Pts, unit);
        Int128? dts = times.Dts == FrameMetadata.UnknownPts ? null : ToNanoseconds(times.Dts, unit);
        if (IsWild(pts) || IsWild(dts))
        {
            return null;
        }

        long duration = times.Duration <= 0 ? 0 : Limit(own.ToUnits(ToNanoseconds(times.Duration, unit)));
        bool isRepaired = false;
        Int128? time = dts ?? pts;
        _isInterrupted |= times.IsDiscontinuous || (time is null && _origin is null);
        if (time is { } known)
        {
            if (_origin is not { } origin)
            {
                _origin = origin = known;
                _newestArrival = times.Arrival;
            }
            else if (Jumped(known - origin, own, times with { IsDiscontinuous = _isInterrupted }))
            {
                // Where the clocks before and after have nothing in common, the time that went by is that between the arrivals; and what was to
                // be shown before is over.
                long passed = Math.Max(Subtract(times.Arrival, _newestArrival), _end - _newest);
                _origin = origin = known - (_newest + Math.Clamp(passed, 1, LongestGap));
                Jumps++;
            }

            _isInterrupted = false;

            // Whole units are moved by whole units: what the source says is kept exactly.
            Int128 offset = own.ToUnits(origin);
            own.Dts = dts is null ? null : Limit(Units(times.Dts, unit, own) - offset);
            own.Pts = pts is null ? null : Limit(Units(times.Pts, unit, own) - offset);
        }
        else
        {
            _origin ??= 0;
            (own.Dts, own.Pts) = (null, null);
        }

        long next = own.Last is { } last ? last + Math.Max(own.LastDuration, 1) : own.ToUnitsLimited(_newest);
        long decoding = own.Dts ?? (own.Pts is { } shown ? Math.Min(shown, own.Last is null ? shown : next) : next);
        if (own.Dts is null)
        {
            isRepaired = true;
        }

        if (own.Last is { } before && decoding <= before)
        {
            decoding = before + 1;
            isRepaired = true;
        }

        long presentation = own.Pts ?? decoding;
        if (presentation < decoding || presentation - decoding > own.ToUnitsLimited(LongestGap))
        {
            presentation = decoding;
            isRepaired = true;
        }

        Repaired += isRepaired ? 1 : 0;
        own.Last = decoding;
        own.LastDuration = duration;
        long placed = own.ToNanoseconds(decoding);
        if (placed >= _newest)
        {
            _newest = placed;
            _newestArrival = times.Arrival;
        }

        _end = Math.Max(_end, own.ToNanoseconds(Limit((Int128)presentation + Math.Min(duration > 0 ? duration : own.PictureDuration, own.ToUnitsLimited(LongestDrift)))));
        return new PlacedTimes(presentation, decoding, duration);
    }

    private static bool IsWild(Int128? time) => time is { } known && (known > MaxNanoseconds || known < -MaxNanoseconds);

    private static Int128 ToNanoseconds(long value, TrackParameters unit) =>
        Divide((Int128)value * unit.TimeBaseNumerator * 1_000_000_000, unit.TimeBaseDenominator);

    /// <summary>A time of the packet in units of the track, exactly where both units are the same.</summary>
    private static Int128 Units(long value, TrackParameters unit, Track track) =>
        unit.TimeBaseNumerator == track.Numerator && unit.TimeBaseDenominator == track.Denominator ? value : track.ToUnits(ToNanoseconds(value, unit));

    private static Int128 Divide(Int128 value, Int128 divisor) => (value >= 0 ? value + (divisor / 2) : value - (divisor / 2)) / divisor;

    private static long Limit(Int128 value) => (long)Int128.Clamp(value, -(Int128.One << 61), Int128.One << 61);

    private static long Subtract(long a, long b) => Limit((Int128)a - b);

    private bool Jumped(Int128 time, Track own, in SourceTimes times)
    {
        if (time > _newest + LongestGap)
        {
            return true;
        }

        if (times.IsDiscontinuous)
        {
            Int128 expected = _newest + Math.Clamp(Subtract(times.Arrival, _newestArrival), 0, LongestGap);
            return Int128.Abs(time - expected) > LongestDrift || (own.Last is { } last && time <= own.ToNanoseconds(last));
        }

        return time < (own.Last is { } before ? own.ToNanoseconds(before) : _newest) - LongestStepBack;
    }

    private sealed class Track(TrackParameters parameters)
    {
        internal int Numerator { get; } = parameters.TimeBaseNumerator;

        internal int Denominator { get; } = parameters.TimeBaseDenominator;

        /// <summary>What a picture takes at the rate that is announced; 0: nobody knows, or it is sound.</summary>
        internal long PictureDuration { get; } = parameters is { FrameRateNumerator: > 0, FrameRateDenominator: > 0, TimeBaseNumerator: > 0 }
            ? (long)((Int128)parameters.FrameRateDenominator * parameters.TimeBaseDenominator / ((Int128)parameters.FrameRateNumerator * parameters.TimeBaseNumerator))
            : 0;

        internal long? Last { get; set; }

        internal long LastDuration { get; set; }

        internal long? Dts { get; set; }

        internal long? Pts { get; set; }

        internal Int128 ToUnits(Int128 nanoseconds) => Divide(nanoseconds * Denominator, (Int128)Numerator * 1_000_000_000);

        internal long ToUnitsLimited(long nanoseconds) => Limit(ToUnits(nanoseconds));

        internal long ToNanoseconds(long units) => Limit(PacketTimeline.Divide((Int128)units * Numerator * 1_000_000_000, Denominator));
    }
}
