namespace CuFrames.Fuzz;

/// <summary>A second judge of pictures, written from docs/protocol.md 4.9 in 128-bit arithmetic.</summary>
internal static class PictureJudge
{
    /// <summary>Table 10.1: NV12, I420 and P010 first, whose chroma is halved; the tensors last, of bytes, halves and singles.</summary>
    public static readonly uint[] Formats =
    [
        0x3231564E, 0x32315559, 0x30313050, 0x20203852, 0x34324742, 0x34324752, 0x34324241, 0x34325241,
        0x50424752, 0x50524742, 0x48504752, 0x48504742, 0x46504752, 0x46504742,
    ];

    /// <summary>Whether the bytes of a Picture are sound in a segment of this size.</summary>
    public static bool IsSound(ReadOnlySpan<byte> picture, ulong segment)
    {
        ulong width = Number(picture, 0, 4), height = Number(picture, 4, 4), format = Number(picture, 8, 4), planes = Number(picture, 12, 4);
        ulong left = Number(picture, 16, 2), top = Number(picture, 18, 2), right = Number(picture, 20, 2), bottom = Number(picture, 22, 2);
        int known = Array.IndexOf(Formats, (uint)format);
        if (known < 0 || width is < 1 or > 16384 || height is < 1 or > 16384 || Number(picture, 80, 8) != 0)
        {
            return false;
        }

        bool halved = known < 3;
        if (planes != (known == 1 ? 3UL : halved ? 2UL : 1UL) || (halved && (left % 2 != 0 || top % 2 != 0)))
        {
            return false;
        }

        bool isTensor = known >= 8;
        if (isTensor && left + top + right + bottom != 0)
        {
            return false;
        }

        for (int plane = 0; plane < (int)planes; plane++)
        {
            UInt128 columns = left + width + right, rows = top + height + bottom;
            if (halved && plane > 0)
            {
                (columns, rows) = ((columns + 1) / 2, (rows + 1) / 2);
            }

            UInt128 rowBytes = columns * (known, plane) switch
            {
                (0, 0) or (1, _) or (3, _) => 1u,
                (0, _) or (2, 0) => 2u,
                (4 or 5, _) => 3u,
                (8 or 9, _) => 1u,
                (10 or 11, _) => 2u,
                _ => 4u,
            };
            rows *= isTensor ? 3u : 1u;
            ulong offset = Number(picture, 32 + (8 * plane), 8), pitch = Number(picture, 64 + (4 * plane), 4);
            bool isPitchSound = isTensor ? pitch == rowBytes : pitch % 64 == 0 && pitch >= rowBytes;
            if (offset % 64 != 0 || !isPitchSound || offset + ((rows - 1) * pitch) + rowBytes > segment)
            {
                return false;
            }
        }

        return true;
    }

    private static ulong Number(ReadOnlySpan<byte> bytes, int at, int size)
    {
        ulong value = 0;
        for (int i = size - 1; i >= 0; i--)
        {
            value = (value << 8) | bytes[at + i];
        }

        return value;
    }
}
