using System.Numerics;

namespace CuFrames.Fuzz;

/// <summary>A fast generator (xoshiro256**, Blackman and Vigna 2018) whose sequence depends on its seed only, on every machine.</summary>
internal sealed class FuzzRandom
{
    private ulong _a, _b, _c, _d;

    public FuzzRandom(ulong seed)
    {
        _a = SplitMix(ref seed);
        _b = SplitMix(ref seed);
        _c = SplitMix(ref seed);
        _d = SplitMix(ref seed);
    }

    public ulong Next()
    {
        ulong result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        ulong shifted = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= shifted;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>A number from 0 up to, not including, the limit; 0 for a limit of 0.</summary>
    public int Below(int limit) => (int)(((Next() >> 32) * (ulong)limit) >> 32);

    public bool OneIn(int count) => Below(count) == 0;

    public void Fill(Span<byte> bytes)
    {
        foreach (ref byte b in bytes)
        {
            b = (byte)Next();
        }
    }

    /// <summary>A number that programs stumble over: around zero, powers of two and the ends of the integer types.</summary>
    public ulong Interesting()
    {
        ulong near = (ulong)(Below(5) - 2);
        return Below(8) switch
        {
            0 => near,
            1 => (ulong)Below(300),
            2 => (ulong)Below(70000),
            3 => 64UL * (ulong)Below(4096),
            4 => ulong.MaxValue - (ulong)Below(129),
            5 => uint.MaxValue - (ulong)Below(129),
            6 => Next(),
            _ => (1UL << Below(64)) + near,
        };
    }

    private static ulong SplitMix(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
