namespace CuFrames.Daemon.Internal.Workers;

/// <summary>Cuts a stream of bytes into lines of limited length.</summary>
/// <param name="limit">Bytes of the longest line.</param>
internal sealed class LineBuffer(int limit)
{
    private byte[] _bytes = new byte[4096];
    private int _length;

    /// <summary>Reads lines until the end of the stream.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="onLine">Is told of each, without its line feed.</param>
    /// <exception cref="InvalidDataException">A line is longer than the limit.</exception>
    internal void ReadAll(Stream stream, Action<byte[]> onLine)
    {
        while (true)
        {
            int count = stream.Read(_bytes, _length, _bytes.Length - _length);
            if (count == 0)
            {
                return;
            }

            int searched = _length;
            _length += count;
            int begin = 0;
            for (int end; (end = Array.IndexOf(_bytes, (byte)'\n', searched, _length - searched)) >= 0; begin = searched = end + 1)
            {
                onLine(_bytes[begin..end]);
            }

            _bytes.AsSpan(begin, _length - begin).CopyTo(_bytes);
            _length -= begin;
            if (_length == _bytes.Length)
            {
                if (_length >= limit)
                {
                    throw new InvalidDataException($"A line has more than {limit} bytes.");
                }

                Array.Resize(ref _bytes, Math.Min(limit, 2 * _bytes.Length));
            }
        }
    }
}
