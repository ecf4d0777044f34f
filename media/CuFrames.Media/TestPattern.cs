using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>
/// A moving picture that follows bit for bit from size, format and frame number, so that a reader can verify a whole frame with
/// nothing but its number. Diagonal gradients move by a few samples per frame; on them lie the frame number in digits and, top
/// left, a code of 8 by 8 black and white blocks that a program can read.
/// </summary>
/// <remarks>
/// Luma is <c>16 + (x + y + 3n) mod 220</c> for column x, row y and frame n; U is <c>64 + (x + 2y + 5n) mod 128</c> and V is
/// <c>191 - (x + 2y + 5n) mod 128</c> in chroma samples; red, green and blue are luma with x moved on by 0, 73 and 146; alpha is 255.
/// P010 holds the 8 bits in the upper end of each word and <c>n mod 4</c> in the two bits below. So every luma sample of two
/// frames differs unless their numbers are a multiple of 220 apart, and a frame torn between two others is found at any row.
/// The code holds the lower 48 bits of the number and a check value of 16 bits, most significant bit first, row by row; white
/// is 1. One object serves one thread at a time; nothing is allocated per frame.
/// </remarks>
public sealed unsafe class TestPattern
{
    private const int LumaPeriod = 220;
    private const int ChromaPeriod = 128;
    private const byte Black = 16;
    private const byte White = 235;
    private const byte Neutral = 128;
    private const int CodeBlocks = 8;

    private readonly byte[] _lumaTable;
    private readonly byte[] _chromaTable;
    private readonly byte[] _row;
    private readonly int _glyphScale;
    private readonly int _boxLeft;
    private readonly int _boxTop;
    private readonly int _boxWidth;
    private readonly int _boxHeight;
    private readonly char[] _digits = new char[20];

    /// <summary>Prepares the tables for one size and format.</summary>
    /// <param name="format">Format of the frames.</param>
    /// <param name="width">Columns, 32 to 16384.</param>
    /// <param name="height">Rows, 32 to 16384.</param>
    /// <exception cref="MediaException">The format is not known or the size is out of range.</exception>
    public TestPattern(PixelFormat format, int width, int height)
    {
        if (!PixelFormats.IsKnown(format) || PixelFormats.IsTensor(format) || width is < 32 or > 16384 || height is < 32 or > 16384)
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"A test pattern needs a known format that is no tensor and 32 to 16384 columns and rows, found {PixelFormats.Name(format)} {width}x{height}.");
        }

        Format = format;
        Width = width;
        Height = height;
        CodeBlockSize = Math.Clamp(Math.Min(width, height) / 64, 2, 8) & ~1;
        _glyphScale = Math.Max(1, Math.Min(width / 96, height / 24)) is var scale && scale > 1 ? scale & ~1 : 1;
        _boxWidth = Math.Min((((BitmapFont.Width + 1) * 10 * _glyphScale) + (2 * _glyphScale) + 1) & ~1, width & ~1);
        _boxHeight = (((BitmapFont.Height + 2) * _glyphScale) + 1) & ~1;
        _boxLeft = ((width - _boxWidth) / 2) & ~1;
        _boxTop = Math.Min((height / 2) & ~1, (height - _boxHeight) & ~1);
        _row = new byte[PixelFormats.RowBytes(format, 0, width + 1)]; // chroma of an odd width is a pair longer than luma
        _lumaTable = MakeLumaTable(format, width);
        _chromaTable = MakeChromaTable(format, width);
    }

    /// <summary>Format of the frames.</summary>
    public PixelFormat Format { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Columns and rows of one block of the machine-readable code. The code begins at the top left corner.</summary>
    public int CodeBlockSize { get; }

    /// <summary>Writes a whole frame.</summary>
    /// <param name="planes">As many planes as the format has. Bytes between the end of a row and the pitch are left alone.</param>
    /// <param name="frameNumber">Number of the frame, not negative.</param>
    /// <exception cref="MediaException">The planes do not fit the format and size.</exception>
    public void Fill(ReadOnlySpan<PicturePlane> planes, long frameNumber)
    {
        Begin(planes, frameNumber);
        for (int plane = 0; plane < planes.Length; plane++)
        {
            int bytes = PixelFormats.RowBytes(Format, plane, Width);
            int rows = PixelFormats.Rows(Format, plane, Height);
            for (int row = 0; row < rows; row++)
            {
                Render(plane, row, frameNumber, new Span<byte>((byte*)planes[plane].Address + ((nuint)row * planes[plane].Pitch), bytes));
            }
        }
    }

    /// <summary>Compares every sample of a frame with what <see cref="Fill"/> writes.</summary>
    /// <param name="planes">The frame's planes.</param>
    /// <param name="frameNumber">Number that the frame should have.</param>
    /// <param name="difference">Where the first difference is; null if there is none.</param>
    /// <returns>Whether all samples are equal.</returns>
    /// <exception cref="MediaException">The planes do not fit the format and size.</exception>
    public bool Verify(ReadOnlySpan<PicturePlane> planes, long frameNumber, out string? difference)
    {
        Begin(planes, frameNumber);
        for (int plane = 0; plane < planes.Length; plane++)
        {
            Span<byte> expected = _row.AsSpan(0, PixelFormats.RowBytes(Format, plane, Width));
            int rows = PixelFormats.Rows(Format, plane, Height);
            for (int row = 0; row < rows; row++)
            {
                Render(plane, row, frameNumber, expected);
                ReadOnlySpan<byte> found = new((byte*)planes[plane].Address + ((nuint)row * planes[plane].Pitch), expected.Length);
                if (!found.SequenceEqual(expected))
                {
                    int column = found.CommonPrefixLength(expected);
                    difference = string.Create(
                        CultureInfo.InvariantCulture,
                        $"frame {frameNumber}, plane {plane}, row {row}, byte {column}: expected {expected[column]}, found {found[column]}");
                    return false;
                }
            }
        }

        difference = null;
        return true;
    }

    /// <summary>Reads the frame number from the code in the picture. Works on lossily coded pictures too.</summary>
    /// <param name="planes">The frame's planes; only the first is read.</param>
    /// <param name="frameNumber">The lower 48 bits of the number.</param>
    /// <returns>False if the check value does not fit: this is no such pattern, or it is too damaged.</returns>
    public bool TryReadNumber(ReadOnlySpan<PicturePlane> planes, out long frameNumber)
    {
        RequirePlanes(planes);
        ulong code = 0;
        int middle = CodeBlockSize / 2;
        for (int bit = 0; bit < CodeBlocks * CodeBlocks; bit++)
        {
            int x = (bit % CodeBlocks * CodeBlockSize) + middle;
            int y = (bit / CodeBlocks * CodeBlockSize) + middle;
            byte* row = (byte*)planes[0].Address + ((nuint)y * planes[0].Pitch);
            int offset = Format switch
            {
                PixelFormat.P010 => (2 * x) + 1,
                PixelFormat.Rgb24 or PixelFormat.Bgr24 => (3 * x) + 1,
                PixelFormat.Rgba or PixelFormat.Bgra => (4 * x) + 1,
                _ => x,
            };
            code = (code << 1) | (row[offset] > (Black + White) / 2 ? 1u : 0u);
        }

        frameNumber = (long)(code >> 16);
        return code == CodeOf(frameNumber);
    }

    private static ulong CodeOf(long frameNumber)
    {
        ulong number = (ulong)frameNumber & 0xFFFF_FFFF_FFFF;
        // Multiplication by the golden ratio spreads every bit of the number; the constant added keeps zero from being all black.
        ulong check = ((number + 1) * 0x9E37_79B9_7F4A_7C15) >> 48;
        return (number << 16) | check;
    }

    private static byte[] MakeLumaTable(PixelFormat format, int width)
    {
        int samples = width + LumaPeriod;
        byte[] table = new byte[PixelFormats.RowBytes(format, 0, samples)];
        for (int i = 0; i < samples; i++)
        {
            byte first = Gradient(i);
            switch (format)
            {
                case PixelFormat.P010:
                    table[2 * i] = 0;
                    table[(2 * i) + 1] = first;
                    break;
                case PixelFormat.Rgb24 or PixelFormat.Bgr24 or PixelFormat.Rgba or PixelFormat.Bgra:
                    bool hasAlpha = format is PixelFormat.Rgba or PixelFormat.Bgra;
                    bool redFirst = format is PixelFormat.Rgb24 or PixelFormat.Rgba;
                    Span<byte> pixel = table.AsSpan(i * (hasAlpha ? 4 : 3));
                    pixel[redFirst ? 0 : 2] = first;
                    pixel[1] = Gradient(i + 73);
                    pixel[redFirst ? 2 : 0] = Gradient(i + 146);
                    if (hasAlpha)
                    {
                        pixel[3] = 255;
                    }

                    break;
                default:
                    table[i] = first;
                    break;
            }
        }

        return table;
    }

    /// <summary>Pairs of U and V for the interleaved formats; all U, then all V for I420.</summary>
    private static byte[] MakeChromaTable(PixelFormat format, int width)
    {
        if (!PixelFormats.IsSubsampled(format))
        {
            return [];
        }

        int samples = ((width + 1) / 2) + ChromaPeriod;
        int bytesPerSample = format == PixelFormat.P010 ? 2 : 1;
        byte[] table = new byte[2 * samples * bytesPerSample];
        for (int i = 0; i < samples; i++)
        {
            byte u = (byte)(64 + (i % ChromaPeriod));
            byte v = (byte)(191 - (i % ChromaPeriod));
            switch (format)
            {
                case PixelFormat.I420:
                    table[i] = u;
                    table[samples + i] = v;
                    break;
                case PixelFormat.Nv12:
                    table[2 * i] = u;
                    table[(2 * i) + 1] = v;
                    break;
                default:
                    table[(4 * i) + 1] = u;
                    table[(4 * i) + 3] = v;
                    break;
            }
        }

        return table;
    }

    private static byte Gradient(int position) => (byte)(Black + (position % LumaPeriod));

    private void Begin(ReadOnlySpan<PicturePlane> planes, long frameNumber)
    {
        RequirePlanes(planes);
        ArgumentOutOfRangeException.ThrowIfNegative(frameNumber);
        _digits.AsSpan().Fill('0');
        Span<char> text = stackalloc char[20];
        frameNumber.TryFormat(text, out int length, provider: CultureInfo.InvariantCulture);
        text[..length].CopyTo(_digits.AsSpan(_digits.Length - length));
    }

    private void RequirePlanes(ReadOnlySpan<PicturePlane> planes)
    {
        bool fits = planes.Length == PixelFormats.PlaneCount(Format);
        for (int plane = 0; fits && plane < planes.Length; plane++)
        {
            fits = planes[plane].Address != 0 && planes[plane].Pitch >= (nuint)PixelFormats.RowBytes(Format, plane, Width);
        }

        if (!fits)
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"A {PixelFormats.Name(Format)} picture of {Width} columns needs {PixelFormats.PlaneCount(Format)} planes with an address and a pitch of at least the bytes of a row.");
        }
    }

    private void Render(int plane, int row, long frameNumber, Span<byte> target)
    {
        if (plane == 0)
        {
            int offset = (int)((row + (3 * (frameNumber % LumaPeriod))) % LumaPeriod);
            _lumaTable.AsSpan(PixelFormats.RowBytes(Format, 0, offset), target.Length).CopyTo(target);
            if (Format == PixelFormat.P010)
            {
                SetLowBits(target, (byte)((frameNumber & 3) << 6));
            }

            RenderCode(row, frameNumber, target);
            RenderDigits(row, target);
            return;
        }

        int chromaOffset = (int)(((2 * row) + (5 * (frameNumber % ChromaPeriod))) % ChromaPeriod);
        switch (Format)
        {
            case PixelFormat.I420:
                int start = plane == 1 ? 0 : _chromaTable.Length / 2;
                _chromaTable.AsSpan(start + chromaOffset, target.Length).CopyTo(target);
                break;
            case PixelFormat.Nv12:
                _chromaTable.AsSpan(2 * chromaOffset, target.Length).CopyTo(target);
                break;
            default:
                _chromaTable.AsSpan(4 * chromaOffset, target.Length).CopyTo(target);
                SetLowBits(target, (byte)((frameNumber & 3) << 6));
                break;
        }

        if (2 * row < CodeBlocks * CodeBlockSize)
        {
            PaintChroma(target, 0, CodeBlocks * CodeBlockSize);
        }

        if (2 * row >= _boxTop && 2 * row < _boxTop + _boxHeight)
        {
            PaintChroma(target, _boxLeft, _boxWidth);
        }
    }

    private static void SetLowBits(Span<byte> target, byte bits)
    {
        Span<ushort> words = MemoryMarshal.Cast<byte, ushort>(target);
        for (int i = 0; i < words.Length; i++)
        {
            words[i] |= bits;
        }
    }

    private void RenderCode(int row, long frameNumber, Span<byte> target)
    {
        int line = row / CodeBlockSize;
        if (line >= CodeBlocks)
        {
            return;
        }

        int bits = (int)((CodeOf(frameNumber) >> (8 * (CodeBlocks - 1 - line))) & 0xFF);
        for (int block = 0; block < CodeBlocks; block++)
        {
            PaintLuma(target, block * CodeBlockSize, CodeBlockSize, ((bits >> (CodeBlocks - 1 - block)) & 1) != 0 ? White : Black);
        }
    }

    private void RenderDigits(int row, Span<byte> target)
    {
        if (row < _boxTop || row >= _boxTop + _boxHeight)
        {
            return;
        }

        PaintLuma(target, _boxLeft, _boxWidth, Black);
        int line = ((row - _boxTop) / _glyphScale) - 1;
        if (line is < 0 or >= BitmapFont.Height)
        {
            return;
        }

        int advance = (BitmapFont.Width + 1) * _glyphScale;
        int shown = Math.Min(10, (_boxWidth - _glyphScale) / advance);
        for (int i = 0; i < shown; i++)
        {
            int bits = BitmapFont.RowOf(_digits[_digits.Length - shown + i], line);
            int left = _boxLeft + _glyphScale + (i * advance);
            for (int column = 0; column < BitmapFont.Width; column++)
            {
                if ((bits & (1 << (BitmapFont.Width - 1 - column))) != 0)
                {
                    PaintLuma(target, left + (column * _glyphScale), _glyphScale, White);
                }
            }
        }
    }

    private void PaintLuma(Span<byte> target, int left, int width, byte level)
    {
        switch (Format)
        {
            case PixelFormat.P010:
                MemoryMarshal.Cast<byte, ushort>(target).Slice(left, width).Fill((ushort)(level << 8));
                break;
            case PixelFormat.Rgb24 or PixelFormat.Bgr24:
                target.Slice(3 * left, 3 * width).Fill(level);
                break;
            case PixelFormat.Rgba or PixelFormat.Bgra:
                MemoryMarshal.Cast<byte, uint>(target).Slice(left, width).Fill(0xFF00_0000u | ((uint)level * 0x01_0101u));
                break;
            default:
                target.Slice(left, width).Fill(level);
                break;
        }
    }

    private void PaintChroma(Span<byte> target, int left, int width)
    {
        switch (Format)
        {
            case PixelFormat.I420:
                target.Slice(left / 2, width / 2).Fill(Neutral);
                break;
            case PixelFormat.Nv12:
                target.Slice(left, width).Fill(Neutral);
                break;
            default:
                MemoryMarshal.Cast<byte, ushort>(target).Slice(left, width).Fill(Neutral << 8);
                break;
        }
    }
}
