namespace CuFrames.Client;

/// <summary>One plane of a frame, in place. Not to be used after the frame is released.</summary>
public readonly ref struct FramePlane
{
    internal FramePlane(ReadOnlySpan<byte> data, int pitch, int rowBytes, int rows)
    {
        Data = data;
        Pitch = pitch;
        RowBytes = rowBytes;
        Rows = rows;
    }

    /// <summary>From the first visible byte to the last: <c>(Rows - 1) * Pitch + RowBytes</c> bytes.</summary>
    public ReadOnlySpan<byte> Data { get; }

    /// <summary>Bytes from one row to the next, a multiple of 64.</summary>
    public int Pitch { get; }

    /// <summary>Bytes that a row holds, without padding.</summary>
    public int RowBytes { get; }

    /// <summary>Rows.</summary>
    public int Rows { get; }

    /// <summary>One row, without padding.</summary>
    /// <param name="row">The row, from 0.</param>
    public ReadOnlySpan<byte> Row(int row) => Data.Slice(row * Pitch, RowBytes);
}
