using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>
/// What an answer of pictures is a row of: the length of a stream's key (1 byte), the key, a kind (1 byte), a length (4 bytes, big-endian), and as many
/// bytes.
/// </summary>
internal static class TileRecord
{
    /// <summary>A JPEG.</summary>
    internal const byte Picture = 0;

    /// <summary>A sentence in UTF-8 that says why there is no picture.</summary>
    internal const byte Problem = 1;

    /// <summary>Adds a record.</summary>
    internal static void Write(IBufferWriter<byte> answer, string key, byte kind, ReadOnlySpan<byte> content)
    {
        int head = 1 + key.Length + 1 + sizeof(int);
        Span<byte> record = answer.GetSpan(head);
        record[0] = (byte)key.Length;
        Encoding.ASCII.GetBytes(key, record[1..]);
        record[1 + key.Length] = kind;
        BinaryPrimitives.WriteInt32BigEndian(record[(2 + key.Length)..], content.Length);
        answer.Advance(head);
        answer.Write(content);
    }
}
