namespace CuFrames.Media.Internal;

/// <summary>Digits of 5 by 7 dots.</summary>
internal static class BitmapFont
{
    internal const int Width = 5;
    internal const int Height = 7;

    private static ReadOnlySpan<byte> Dots =>
    [
        0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110,
        0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110,
        0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111,
        0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110,
        0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010,
        0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110,
        0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110,
        0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000,
        0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110,
        0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100,
    ];

    /// <summary>The dots of one row of a digit, the leftmost in bit 4.</summary>
    internal static int RowOf(char digit, int row) => Dots[((digit - '0') * Height) + row];
}
