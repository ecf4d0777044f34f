using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>
/// A limit of memory that several publishers share, as those of one daemon do on one GPU. It counts the segments of their rings, those
/// included that readers still have to give back, and what renditions need beside them. Thread-safe.
/// </summary>
/// <param name="limit">Bytes, greater than zero.</param>
/// <param name="name">What the memory is, for texts: <c>GPU memory</c>.</param>
/// <param name="whole">A limit that this one is a part of: what is taken here is taken there too. Null: none.</param>
public sealed class MemoryBudget(long limit, string name, MemoryBudget? whole = null)
{
    private readonly Lock _gate = new();
    private long _limit = Positive(limit);
    private long _inUse;

    /// <summary>Bytes that may be in use, greater than zero. A lower limit than is in use takes nothing away.</summary>
    public long Limit
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
            lock (_gate)
            {
                _limit = Positive(value);
            }
        }
    }

    /// <summary>What the memory is.</summary>
    public string Name { get; } = name;

    /// <summary>Bytes in use now.</summary>
    public long InUse
    {
        get
        {
            lock (_gate)
            {
                return _inUse;
            }
        }
    }

    /// <summary>Takes memory before it is allocated.</summary>
    /// <exception cref="CuFramesException">OUT_OF_RESOURCES: the limit stands in the way; nothing was taken.</exception>
    internal void Take(string key, long bytes)
    {
        lock (_gate)
        {
            if (_inUse + bytes > _limit)
            {
                throw new CuFramesException(ErrorCode.OutOfResources,
                    $"Stream '{key}' asks for {Text(bytes)} of {Name}; the limit of all streams is {Text(_limit)}, in use are {Text(_inUse)}, " +
                    $"and it would be {Text(_inUse + bytes)}. Raise the limit, or use fewer streams, slots or pixels.");
            }

            whole?.Take(key, bytes);
            _inUse += bytes;
        }
    }

    internal void Give(long bytes)
    {
        lock (_gate)
        {
            _inUse -= bytes;
            whole?.Give(bytes);
        }
    }

    /// <summary>Takes note of memory that is in use already, in another process: above the limit too.</summary>
    /// <param name="bytes">Bytes; negative: given back.</param>
    internal void Account(long bytes)
    {
        lock (_gate)
        {
            _inUse += bytes;
            whole?.Account(bytes);
        }
    }

    private static long Positive(long limit) =>
        limit > 0 ? limit : throw new ArgumentOutOfRangeException(nameof(limit), limit, "A memory budget is greater than zero.");

    internal static string Text(long bytes) => $"{bytes / 1048576.0:0.0} MiB";
}
