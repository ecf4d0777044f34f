namespace CuFrames.Protocol;

/// <summary>An entry of the track table (docs/protocol.md 14.6).</summary>
public static class TrackLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 64;

    /// <summary>Offset of <c>kind</c>: a <see cref="TrackKind"/>.</summary>
    [WireField("u32", 4)]
    public const int KindOffset = 0;

    /// <summary>Offset of <c>current</c>: number of the newest parameter set, from 1.</summary>
    [WireField("u32", 4)]
    public const int CurrentOffset = 4;

    /// <summary>Offset of <c>oldest</c>: number of the oldest parameter set that may still be read, from 1.</summary>
    [WireField("u32", 4)]
    public const int OldestOffset = 8;

    /// <summary>Offset of <c>reserved</c>: zero.</summary>
    [WireField("u32", 4)]
    public const int ReservedOffset = 12;

    /// <summary>Offset of <c>language</c>: ISO 639-2 code in ASCII, zeros behind it; all zero: not known.</summary>
    [WireField("bytes", 8)]
    public const int LanguageOffset = 16;
}
