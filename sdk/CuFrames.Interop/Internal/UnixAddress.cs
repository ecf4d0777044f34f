using System.Text;

namespace CuFrames.Interop.Internal;

/// <summary>struct sockaddr_un: the family and up to 108 bytes of path or abstract name.</summary>
internal unsafe struct UnixAddress
{
    /// <summary>Longest path in bytes: sun_path less the closing 0.</summary>
    internal const int LongestPath = 107;

    private const int PathOffset = 2;

    internal uint Length;
    internal fixed byte Bytes[PathOffset + LongestPath + 1];

    internal static bool Fits(string path) => Encoding.UTF8.GetByteCount(path) <= LongestPath;

    /// <summary>The address of a path that fits.</summary>
    internal static UnixAddress OfPath(string path)
    {
        var address = new UnixAddress();
        int length = address.SetName(path, 0);
        address.Length = (uint)(PathOffset + length + 1);
        return address;
    }

    /// <summary>
    /// The address of an abstract name, given without the mark ('@') that stands for its leading 0 byte.
    /// </summary>
    internal static UnixAddress OfAbstractName(string name)
    {
        var address = new UnixAddress();
        int length = address.SetName(name, 1);
        address.Length = (uint)(PathOffset + 1 + length);
        return address;
    }

    private int SetName(string name, int start)
    {
        Bytes[0] = LibC.AF_UNIX;
        fixed (byte* bytes = Bytes)
        {
            return Encoding.UTF8.GetBytes(name, new Span<byte>(bytes + PathOffset + start, LongestPath - start));
        }
    }
}
