using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>
/// Makes a tensor (3, height, width) of a picture of bytes R, G, B. A byte has 256 values: what each becomes is calculated once, in double precision, and
/// rounded once, so numbers are exactly those of the formula. Not thread-safe. Allocates when it is made, and when rows are longer than before.
/// </summary>
internal sealed unsafe class TensorPacker : IDisposable
{
    private const int Values = 256;

    private readonly PixelFormat _format;

    // For each channel of the format's order the number that a sample becomes; one of the two is used.
    private readonly float[] _singles = [];
    private readonly Half[] _halves = [];
    private byte* _row;
    private int _rowWidth;

    /// <param name="format">A tensor.</param>
    /// <param name="options">What the numbers are; not looked at for bytes.</param>
    internal TensorPacker(PixelFormat format, TensorOptions options)
    {
        _format = format;
        if (!PixelFormats.IsFloat(format))
        {
            return;
        }

        bool isHalf = PixelFormats.SampleBytes(format) == sizeof(ushort);
        _singles = isHalf ? [] : new float[3 * Values];
        _halves = isHalf ? new Half[3 * Values] : [];
        for (int channel = 0; channel < 3; channel++)
        {
            for (int sample = 0; sample < Values; sample++)
            {
                double number = options.NumberOf(sample, channel);
                if (isHalf)
                {
                    _halves[(channel * Values) + sample] = (Half)number;
                }
                else
                {
                    _singles[(channel * Values) + sample] = (float)number;
                }
            }
        }
    }

    private bool IsBlueFirst => _format is PixelFormat.Bgrp or PixelFormat.BgrpF16 or PixelFormat.BgrpF32;

    /// <summary>Makes the tensor.</summary>
    /// <param name="rgb">Bytes R, G, B.</param>
    /// <param name="pitch">From one row to the next.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="target">Receives <see cref="PixelFormats.PictureBytes"/>.</param>
    internal void Pack(byte* rgb, nuint pitch, int width, int height, byte* target)
    {
        if (_rowWidth != width)
        {
            NativeMemory.Free(_row);
            _row = null;
            _row = (byte*)NativeMemory.Alloc((nuint)(3 * width));
            _rowWidth = width;
        }

        nuint rowBytes = (nuint)(width * PixelFormats.SampleBytes(_format));
        nuint channelBytes = rowBytes * (nuint)height;
        byte* last = target + (2 * channelBytes);
        byte* firstRed = IsBlueFirst ? last : target;
        byte* firstBlue = IsBlueFirst ? target : last;

        for (int row = 0; row < height; row++)
        {
            byte* red = firstRed + ((nuint)row * rowBytes);
            byte* green = target + channelBytes + ((nuint)row * rowBytes);
            byte* blue = firstBlue + ((nuint)row * rowBytes);
            byte* source = rgb + ((nuint)row * pitch);
            if (!PixelFormats.IsFloat(_format))
            {
                Split(source, width, red, green, blue);
                continue;
            }

            Split(source, width, _row, _row + width, _row + (2 * width));
            Map(_row, width, red, IsBlueFirst ? 2 : 0);
            Map(_row + width, width, green, 1);
            Map(_row + (2 * width), width, blue, IsBlueFirst ? 0 : 2);
        }
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_row);
        _row = null;
        _rowWidth = 0;
    }

    /// <summary>Bytes of three channels into rows of their own, 16 pixels at a time.</summary>
    private static void Split(byte* rgb, int width, byte* red, byte* green, byte* blue)
    {
        int column = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            // Where in the three vectors of 48 bytes a channel's samples lie; 255 takes none.
            Vector128<byte> red0 = Indices(0, 0), red1 = Indices(0, 1), red2 = Indices(0, 2);
            Vector128<byte> green0 = Indices(1, 0), green1 = Indices(1, 1), green2 = Indices(1, 2);
            Vector128<byte> blue0 = Indices(2, 0), blue1 = Indices(2, 1), blue2 = Indices(2, 2);
            for (; column <= width - 16; column += 16)
            {
                byte* source = rgb + (3 * column);
                Vector128<byte> a = Vector128.Load(source), b = Vector128.Load(source + 16), c = Vector128.Load(source + 32);
                (Vector128.Shuffle(a, red0) | Vector128.Shuffle(b, red1) | Vector128.Shuffle(c, red2)).Store(red + column);
                (Vector128.Shuffle(a, green0) | Vector128.Shuffle(b, green1) | Vector128.Shuffle(c, green2)).Store(green + column);
                (Vector128.Shuffle(a, blue0) | Vector128.Shuffle(b, blue1) | Vector128.Shuffle(c, blue2)).Store(blue + column);
            }
        }

        for (; column < width; column++)
        {
            red[column] = rgb[3 * column];
            green[column] = rgb[(3 * column) + 1];
            blue[column] = rgb[(3 * column) + 2];
        }
    }

    private static Vector128<byte> Indices(int channel, int vector)
    {
        byte* indices = stackalloc byte[16];
        for (int pixel = 0; pixel < 16; pixel++)
        {
            int position = (3 * pixel) + channel - (16 * vector);
            indices[pixel] = position is >= 0 and < 16 ? (byte)position : byte.MaxValue;
        }

        return Vector128.Load(indices);
    }

    private void Map(byte* samples, int width, byte* target, int channel)
    {
        if (_halves.Length > 0)
        {
            Map(samples, width, (Half*)target, _halves.AsSpan(channel * Values, Values));
        }
        else
        {
            Map(samples, width, (float*)target, _singles.AsSpan(channel * Values, Values));
        }
    }

    private static void Map<T>(byte* samples, int width, T* target, ReadOnlySpan<T> table)
        where T : unmanaged
    {
        // A byte is below the 256 entries that there are: no check is needed.
        ref T first = ref MemoryMarshal.GetReference(table);
        for (int column = 0; column < width; column++)
        {
            target[column] = Unsafe.Add(ref first, samples[column]);
        }
    }
}
