namespace CuFrames.Cli.Internal;

/// <summary>Turns an RGB picture the way its frame wants to be displayed.</summary>
internal static class PictureRotation
{
    private const int PixelBytes = 3;

    /// <summary>Turns a picture clockwise.</summary>
    /// <param name="rgb">Bytes R, G, B, rows without padding.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="quarterTurns">Quarter turns clockwise; only the lower two bits count.</param>
    /// <returns>The turned picture; the given one when there is nothing to turn.</returns>
    public static (byte[] Rgb, int Width, int Height) Apply(byte[] rgb, int width, int height, int quarterTurns)
    {
        quarterTurns &= 3;
        if (quarterTurns == 0)
        {
            return (rgb, width, height);
        }

        (int turnedWidth, int turnedHeight) = quarterTurns == 2 ? (width, height) : (height, width);
        byte[] turned = new byte[width * height * PixelBytes];
        for (int y = 0; y < turnedHeight; y++)
        {
            for (int x = 0; x < turnedWidth; x++)
            {
                (int fromX, int fromY) = quarterTurns switch
                {
                    1 => (y, height - 1 - x),
                    2 => (width - 1 - x, height - 1 - y),
                    _ => (width - 1 - y, x),
                };
                rgb.AsSpan(((fromY * width) + fromX) * PixelBytes, PixelBytes).CopyTo(turned.AsSpan(((y * turnedWidth) + x) * PixelBytes));
            }
        }

        return (turned, turnedWidth, turnedHeight);
    }
}
