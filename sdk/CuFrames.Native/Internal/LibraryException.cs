namespace CuFrames.Native.Internal;

/// <summary>An error with one of the library's own codes, on its way to the export that reports it.</summary>
internal sealed class LibraryException(LibraryError code, string message) : Exception(message)
{
    public LibraryError Code { get; } = code;
}
