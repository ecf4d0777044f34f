using System.Runtime.InteropServices;
using System.Text;

namespace CuFrames.Native.Internal;

/// <summary>Strings on their way in and out: UTF-8 with a zero byte at the end.</summary>
internal static unsafe class NativeText
{
    /// <summary>A string that came in; null for a null pointer.</summary>
    public static string? Read(byte* text) => Marshal.PtrToStringUTF8((nint)text);

    /// <summary>A string that must be there.</summary>
    /// <exception cref="LibraryException">INVALID_ARGUMENT: the pointer is null.</exception>
    public static string Require(byte* text, string what) => Read(text)
        ?? throw new LibraryException(LibraryError.InvalidArgument, $"{what} is null; it must be a string.");

    /// <summary>Copies a string into a field of a structure, cut where a character begins if the field is too small.</summary>
    public static void Copy(string? text, byte* field, int size)
    {
        Span<byte> room = new(field, size);
        room.Clear();
        Encoder encoder = Encoding.UTF8.GetEncoder();
        encoder.Convert(text ?? "", room[..(size - 1)], flush: true, out _, out _, out _);
    }

    /// <summary>A string that goes out, in memory of malloc.</summary>
    public static byte* Allocate(string? text)
    {
        text ??= "";
        int length = Encoding.UTF8.GetByteCount(text);
        byte* bytes = (byte*)NativeMemory.Alloc((nuint)length + 1);
        _ = Encoding.UTF8.GetBytes(text, new Span<byte>(bytes, length));
        bytes[length] = 0;
        return bytes;
    }
}
