using System.Numerics;
using System.Runtime.InteropServices;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.TestKit;

/// <summary>
/// Fills every byte of a frame from its number and the byte's position, and checks every byte. A torn frame, a repeated one, a shifted plane
/// or a missing row shows.
/// </summary>
/// <remarks>The words of a row are <c>start(number, plane, row) + index * Step</c>: quick to make and to compare with vectors.</remarks>
public static class FrameStamp
{
    private const ulong Step = 0x9E3779B97F4A7C15;

    /// <summary>Fills the visible rows of all planes.</summary>
    public static void Fill(FrameWriter frame, ulong number)
    {
        for (int plane = 0; plane < frame.PlaneCount; plane++)
        {
            for (int row = 0; row < frame.Rows(plane); row++)
            {
                FillRow(frame.Row(plane, row), Start(number, plane, row));
            }
        }
    }

    /// <summary>Fills a picture that lies in one piece: planes in order, rows without padding.</summary>
    public static void Fill(Span<byte> picture, PixelFormat format, int width, int height, ulong number)
    {
        int position = 0;
        for (int plane = 0; plane < PixelFormats.PlaneCount(format); plane++)
        {
            int rowBytes = PixelFormats.RowBytes(format, plane, width);
            for (int row = 0; row < PixelFormats.Rows(format, plane, height); row++, position += rowBytes)
            {
                FillRow(picture.Slice(position, rowBytes), Start(number, plane, row));
            }
        }
    }

    /// <summary>The number that a picture was filled with, out of its first eight bytes: for pictures that come with nothing else. Whether it is right
    /// only <see cref="FindFault(ReadOnlySpan{byte}, PixelFormat, int, int, ulong)"/> tells.</summary>
    public static ulong NumberOf(ReadOnlySpan<byte> picture)
    {
        // Backwards what Start does; the factors are the inverses modulo 2^64.
        ulong x = MemoryMarshal.Read<ulong>(picture);
        x = x ^ (x >> 31) ^ (x >> 62);
        x *= 0x319642B2D24D8EC3;
        x = x ^ (x >> 27) ^ (x >> 54);
        x *= 0x96DE1B173F119089;
        x = x ^ (x >> 30) ^ (x >> 60);
        return x >> 20;
    }

    /// <summary>Checks a picture that lies in one piece: planes in order, rows without padding.</summary>
    /// <returns>Null when every byte is right, else where the first fault is.</returns>
    public static string? FindFault(ReadOnlySpan<byte> picture, PixelFormat format, int width, int height, ulong number)
    {
        int position = 0;
        for (int plane = 0; plane < PixelFormats.PlaneCount(format); plane++)
        {
            int rowBytes = PixelFormats.RowBytes(format, plane, width);
            int rows = PixelFormats.Rows(format, plane, height);
            for (int row = 0; row < rows; row++, position += rowBytes)
            {
                if (!RowMatches(picture.Slice(position, rowBytes), Start(number, plane, row)))
                {
                    return $"frame {number}: plane {plane}, row {row} of {rows} differs";
                }
            }
        }

        return null;
    }

    /// <summary>Checks the visible rows of all planes.</summary>
    /// <returns>Null when every byte is right, else where the first fault is.</returns>
    public static string? FindFault(Frame frame, ulong number)
    {
        for (int index = 0; index < frame.PlaneCount; index++)
        {
            if (FindFault(frame.Plane(index), index, number) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    /// <summary>Checks the visible rows of one plane, which may have been asked for long before.</summary>
    /// <returns>Null when every byte is right, else where the first fault is.</returns>
    public static string? FindFault(FramePlane plane, int index, ulong number)
    {
        for (int row = 0; row < plane.Rows; row++)
        {
            if (!RowMatches(plane.Row(row), Start(number, index, row)))
            {
                return $"frame {number}: plane {index}, row {row} of {plane.Rows} differs";
            }
        }

        return null;
    }

    private static ulong Start(ulong number, int plane, int row)
    {
        ulong x = (number << 20) ^ ((ulong)plane << 60) ^ (ulong)row;
        x ^= x >> 30;
        x *= 0xBF58476D1CE4E5B9;
        x ^= x >> 27;
        x *= 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    private static Vector<ulong> Ramp()
    {
        Span<ulong> ramp = stackalloc ulong[Vector<ulong>.Count];
        for (int i = 0; i < ramp.Length; i++)
        {
            ramp[i] = (ulong)i * Step;
        }

        return new Vector<ulong>(ramp);
    }

    private static void FillRow(Span<byte> row, ulong start)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(row);
        Vector<ulong> value = new Vector<ulong>(start) + Ramp();
        Vector<ulong> advance = new(Step * (ulong)Vector<ulong>.Count);
        int i = 0;
        for (; i <= words.Length - Vector<ulong>.Count; i += Vector<ulong>.Count)
        {
            value.CopyTo(words[i..]);
            value += advance;
        }

        for (; i < words.Length; i++)
        {
            words[i] = start + ((ulong)i * Step);
        }

        Span<byte> tail = row[(words.Length * 8)..];
        ulong last = start + ((ulong)words.Length * Step);
        MemoryMarshal.AsBytes(new Span<ulong>(ref last))[..tail.Length].CopyTo(tail);
    }

    private static bool RowMatches(ReadOnlySpan<byte> row, ulong start)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(row);
        Vector<ulong> value = new Vector<ulong>(start) + Ramp();
        Vector<ulong> advance = new(Step * (ulong)Vector<ulong>.Count);
        int i = 0;
        for (; i <= words.Length - Vector<ulong>.Count; i += Vector<ulong>.Count)
        {
            if (new Vector<ulong>(words[i..]) != value)
            {
                return false;
            }

            value += advance;
        }

        for (; i < words.Length; i++)
        {
            if (words[i] != start + ((ulong)i * Step))
            {
                return false;
            }
        }

        ReadOnlySpan<byte> tail = row[(words.Length * 8)..];
        ulong last = start + ((ulong)words.Length * Step);
        return tail.SequenceEqual(MemoryMarshal.AsBytes(new Span<ulong>(ref last))[..tail.Length]);
    }
}
