using System.Text;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>How a call fails: its code is returned, and the sentence is kept for cuframes_last_error of the calling thread.</summary>
/// <remarks>Every export catches everything, because an exception that left managed code would end the caller's process:
/// <c>try { …; return Ok; } catch (Exception error) { return Failure.Of(error); }</c>.</remarks>
internal static unsafe class Failure
{
    public const int Ok = 0;

    // Written once at the start, before any other call; null in tests of the managed code alone.
    private static delegate* unmanaged[Cdecl]<byte*, nuint, void> _setLastError;

    public static void Use(delegate* unmanaged[Cdecl]<byte*, nuint, void> setLastError) => _setLastError = setLastError;

    /// <summary>The code of an exception; its message is the sentence.</summary>
    public static int Of(Exception error) => error switch
    {
        CuFramesException known => Because(known.Code, known.Message),
        LibraryException own => Because(own.Code, own.Message),
        TimeoutException => Because(ErrorCode.TimedOut, error.Message),
        ObjectDisposedException => Because(LibraryError.InvalidHandle, error.Message),
        ArgumentException => Because(LibraryError.InvalidArgument, error.Message),
        OutOfMemoryException => Because(ErrorCode.OutOfResources, "Memory ran out: the process, or what CuFrames may use of it, has none left."u8),
        LinuxException { Errno: Errno.ENOMEM or Errno.ENOSPC or Errno.EMFILE or Errno.ENFILE } => Because(ErrorCode.OutOfResources, error.Message),
        IOException => Because(ErrorCode.SystemCallFailed, error.Message),
        _ => Because(LibraryError.Internal, $"A fault of CuFrames ({error.GetType().Name}): {error.Message}"),
    };

    public static int Because(ErrorCode code, string sentence) => Because((int)code, sentence);

    public static int Because(LibraryError code, string sentence) => Because((int)code, sentence);

    public static int Because(ErrorCode code, ReadOnlySpan<byte> sentence) => Because((int)code, sentence);

    public static int Because(LibraryError code, ReadOnlySpan<byte> sentence) => Because((int)code, sentence);

    private static int Because(int code, string sentence)
    {
        // Twice the room that the shim has: it cuts at a character, we at 2 KiB.
        Span<byte> text = stackalloc byte[2048];
        _ = Encoding.UTF8.TryGetBytes(sentence, text, out int length) || TryGetBeginning(sentence, text, out length);
        return Because(code, text[..length]);
    }

    private static int Because(int code, ReadOnlySpan<byte> sentence)
    {
        if (_setLastError != null)
        {
            fixed (byte* text = sentence)
            {
                _setLastError(text, (nuint)sentence.Length);
            }
        }

        return code;
    }

    /// <summary>At most three bytes for each UTF-16 unit: a third of the room always fits.</summary>
    private static bool TryGetBeginning(string sentence, Span<byte> text, out int length) =>
        Encoding.UTF8.TryGetBytes(sentence.AsSpan(0, Math.Min(sentence.Length, text.Length / 3)), text, out length);
}
