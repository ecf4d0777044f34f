namespace CuFrames.Fuzz;

/// <summary>Which outcomes a target has shown so far. An input that shows a new one is kept and changed further.</summary>
internal sealed class OutcomeMap
{
    private const int Size = 8192;

    private readonly ulong[] _seen = new ulong[Size / 64];

    /// <summary>Whether the input that runs now showed something new.</summary>
    public bool IsNew { get; private set; }

    public int Count { get; private set; }

    public void Begin() => IsNew = false;

    /// <summary>Notes an outcome: a number that stands for what happened, coarse enough that there are hundreds, not millions.</summary>
    public void Add(int signature)
    {
        int at = (int)(((uint)signature * 2654435769u) >> (32 - 13));
        ulong bit = 1UL << (at & 63);
        ref ulong word = ref _seen[at >> 6];
        if ((word & bit) == 0)
        {
            word |= bit;
            Count++;
            IsNew = true;
        }
    }

    /// <summary>An error's text without its numbers, also those in hexadecimal, names the place that it came from.</summary>
    public void Add(int kind, string text)
    {
        int hash = kind;
        foreach (char c in text)
        {
            if (!char.IsAsciiHexDigitLower(c))
            {
                hash = (hash * 31) + c;
            }
        }

        Add(hash);
    }

    public OutcomeMap Clone()
    {
        OutcomeMap copy = new() { Count = Count };
        _seen.CopyTo(copy._seen, 0);
        return copy;
    }
}
