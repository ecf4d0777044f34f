using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>
/// YUV4MPEG2 as mjpegtools' yuv4mpeg(5) and ffmpeg have it: a line about the stream, then <c>FRAME</c> and the planes for each frame. Chroma planes lie
/// behind each other there, so that interleaved ones are taken apart; no sample changes.
/// </summary>
internal static class Y4m
{
    /// <summary>What stands before each frame.</summary>
    internal static ReadOnlySpan<byte> FrameHeader => "FRAME\n"u8;

    /// <summary>Whether YUV4MPEG2 carries a format.</summary>
    internal static bool CanCarry(PixelFormat format) => format is PixelFormat.Nv12 or PixelFormat.I420 or PixelFormat.P010 or PixelFormat.Gray8;

    /// <summary>The line about the stream.</summary>
    /// <param name="format">A format that can be carried.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="stream">Rate and range; a rate that is not known is 0:0.</param>
    internal static byte[] Header(PixelFormat format, int width, int height, StreamDescription? stream)
    {
        string colours = format switch
        {
            PixelFormat.Gray8 => "mono",
            PixelFormat.P010 => "420p10",
            _ => "420",
        };
        bool hasRate = stream is { FrameRateNumerator: > 0, FrameRateDenominator: > 0 };
        string range = stream?.ColourRange switch
        {
            ColourRange.Full => " XCOLORRANGE=FULL",
            ColourRange.Limited => " XCOLORRANGE=LIMITED",
            _ => "",
        };
        return Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"YUV4MPEG2 W{width} H{height} F{(hasRate ? stream!.FrameRateNumerator : 0)}:{(hasRate ? stream!.FrameRateDenominator : 0)} Ip A0:0 C{colours}{range}\n"));
    }

    /// <summary>Writes the planes of a frame in main memory.</summary>
    /// <param name="frame">A frame of a format that can be carried.</param>
    /// <param name="target">Room for the picture's bytes.</param>
    internal static void Write(Frame frame, Span<byte> target)
    {
        if (frame.PixelFormat is PixelFormat.I420 or PixelFormat.Gray8)
        {
            frame.CopyTo(target);
            return;
        }

        bool isWide = frame.PixelFormat == PixelFormat.P010;
        FramePlane luma = frame.Plane(0), chroma = frame.Plane(1);
        for (int row = 0; row < luma.Rows; row++, target = target[luma.RowBytes..])
        {
            Copy(luma.Row(row), target, isWide);
        }

        int half = chroma.RowBytes / 2;
        Span<byte> second = target[(half * chroma.Rows)..];
        for (int row = 0; row < chroma.Rows; row++)
        {
            Split(chroma.Row(row), target.Slice(row * half, half), second.Slice(row * half, half), isWide);
        }
    }

    /// <summary>Ten bits lie in the upper end of a word in P010 and in the lower one in YUV4MPEG2.</summary>
    private static ushort Lower(ReadOnlySpan<byte> word) => (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(word) >> 6);

    private static void Copy(ReadOnlySpan<byte> row, Span<byte> target, bool isWide)
    {
        if (!isWide)
        {
            row.CopyTo(target);
            return;
        }

        for (int i = 0; i < row.Length; i += 2)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(target[i..], Lower(row[i..]));
        }
    }

    private static void Split(ReadOnlySpan<byte> row, Span<byte> first, Span<byte> second, bool isWide)
    {
        if (isWide)
        {
            for (int i = 0; i < first.Length; i += 2)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(first[i..], Lower(row[(2 * i)..]));
                BinaryPrimitives.WriteUInt16LittleEndian(second[i..], Lower(row[((2 * i) + 2)..]));
            }

            return;
        }

        for (int i = 0; i < first.Length; i++)
        {
            first[i] = row[2 * i];
            second[i] = row[(2 * i) + 1];
        }
    }
}
