namespace CuFrames.Benchmarks.Latency;

/// <summary>Latencies of one reader, kept in memory of fixed size until the end.</summary>
internal sealed class Samples(int capacity)
{
    private readonly long[] _ticks = new long[capacity];
    private readonly long[] _nanoseconds = new long[capacity];
    private int _count;

    public void Add(long tick, long nanoseconds)
    {
        if (tick > 0 && _count < _ticks.Length)
        {
            _ticks[_count] = tick;
            _nanoseconds[_count++] = nanoseconds;
        }
    }

    public void Write(string path)
    {
        using StreamWriter writer = new(path);
        for (int i = 0; i < _count; i++)
        {
            writer.WriteLine($"{_ticks[i]},{_nanoseconds[i]}");
        }
    }
}
