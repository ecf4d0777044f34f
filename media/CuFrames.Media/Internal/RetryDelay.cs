namespace CuFrames.Media.Internal;

/// <summary>Exponential back-off with full jitter: uniform between zero and a bound that doubles with each attempt.</summary>
/// <remarks>Full jitter spreads 64 cameras that a switch took down together over the whole span instead of into waves.</remarks>
internal sealed class RetryDelay
{
    /// <summary>A drawn delay of nearly nothing would make the loop spin against a host that refuses at once.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// NVRs give a camera up that sends nothing for 20 s, and start all over: a camera that was gone for some seconds has to be back before that. One
    /// attempt in 2.5 s costs next to nothing.
    /// </summary>
    private static readonly TimeSpan LongestUsual = TimeSpan.FromSeconds(5);

    private readonly TimeSpan _initial;
    private readonly TimeSpan _usual;
    private readonly TimeSpan _max;
    private readonly Random _random;
    private TimeSpan _bound;

    internal RetryDelay(TimeSpan initial, TimeSpan max, Random random)
    {
        _initial = initial;
        _max = max;
        _usual = max < LongestUsual ? max : initial > LongestUsual ? initial : LongestUsual;
        _random = random;
        _bound = initial;
    }

    /// <summary>Draws the next delay.</summary>
    internal TimeSpan Next()
    {
        TimeSpan delay = _bound * _random.NextDouble();
        _bound = _bound * 2 < _usual ? _bound * 2 : _usual;
        return delay > Shortest ? delay : Shortest;
    }

    /// <summary>Begins anew, after the source was live for long enough.</summary>
    internal void Reset() => _bound = _initial;

    /// <summary>Goes to the longest bound for the next delay: a wrong password tried often locks the account in many cameras.</summary>
    internal void Slow() => _bound = _max;
}
