namespace CuFrames.Media;

/// <summary>A limit of NVDEC sessions that several sources share, as those of one daemon do. Thread-safe.</summary>
/// <remarks>
/// The driver has a limit of its own, device memory as a rule, and names it only when it is reached. This one is lower, so that cameras are
/// refused in order and the memory for others stays free. A session counts from the opening of its source to the source's disposal.
/// </remarks>
public sealed class DecoderAdmission
{
    private readonly Lock _gate = new();
    private int _limit;
    private int _inUse;

    /// <summary>Makes a limit.</summary>
    /// <param name="limit">Sessions at once, 1 or more.</param>
    public DecoderAdmission(int limit) => Limit = limit;

    /// <summary>Sessions at once, 1 or more. A lower limit than is in use ends no session.</summary>
    public int Limit
    {
        get
        {
            lock (_gate)
            {
                return _limit;
            }
        }

        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            lock (_gate)
            {
                _limit = value;
            }
        }
    }

    /// <summary>Sessions in use now.</summary>
    public int InUse
    {
        get
        {
            lock (_gate)
            {
                return _inUse;
            }
        }
    }

    internal bool IsFull
    {
        get
        {
            lock (_gate)
            {
                return _inUse >= _limit;
            }
        }
    }

    /// <summary>Takes a session.</summary>
    /// <param name="limit">The limit that counted.</param>
    /// <param name="inUse">Sessions in use before.</param>
    /// <returns>False when there is no room; then nothing was taken.</returns>
    internal bool TryEnter(out int limit, out int inUse)
    {
        lock (_gate)
        {
            (limit, inUse) = (_limit, _inUse);
            _inUse += inUse < limit ? 1 : 0;
            return inUse < limit;
        }
    }

    internal void Leave()
    {
        lock (_gate)
        {
            _inUse--;
        }
    }
}
