namespace CuFrames.Daemon.Internal.Taps;

/// <summary>A picture of a <see cref="JpegFeed"/>. Its bytes stay as they are while somebody uses it; then its memory is used again.</summary>
internal sealed class JpegPicture
{
    private byte[] _bytes = [];
    private int _length;

    /// <summary>Number in its feed, from 1.</summary>
    internal long Number { get; private set; }

    /// <summary>How many use it. Under the feed's gate.</summary>
    internal int Users { get; set; }

    /// <summary>Content of a JPEG file.</summary>
    internal ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, _length);

    /// <summary>Puts another picture in. Only while nobody uses it.</summary>
    internal void Set(ReadOnlySpan<byte> jpeg, long number)
    {
        if (_bytes.Length < jpeg.Length)
        {
            _bytes = new byte[jpeg.Length + (jpeg.Length / 4)];
        }

        jpeg.CopyTo(_bytes);
        (_length, Number) = (jpeg.Length, number);
    }
}
