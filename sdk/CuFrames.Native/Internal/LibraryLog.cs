namespace CuFrames.Native.Internal;

/// <summary>Where the library's lines go: the callback of cuframes_set_log, or nowhere.</summary>
/// <remarks>
/// The gate is held while the callback runs, so that nobody is called any more once <see cref="Use"/> has returned. Lines are rare: they tell of
/// connections and rings, never of single frames.
/// </remarks>
internal static unsafe class LibraryLog
{
    // With its zero byte. Sentences of the library are far shorter; texts of peers have 1,024 bytes at the most.
    private const int MaxLineBytes = 2048;

    private static readonly Lock Gate = new();
    private static delegate* unmanaged[Cdecl]<nint, uint, byte*, void> _callback;
    private static nint _user;

    // 0 while nobody listens. Written under the gate; read without it by those who have something to say, who look again under the gate.
    private static uint _level;

    /// <summary>Sets the callback. When it returns, the one before is not called any more. Any thread.</summary>
    public static void Use(delegate* unmanaged[Cdecl]<nint, uint, byte*, void> callback, nint user, LogLevel level)
    {
        lock (Gate)
        {
            _callback = callback;
            _user = user;
            Volatile.Write(ref _level, callback == null ? 0 : (uint)level);
        }
    }

    /// <summary>Writes a line, unless nobody wants it. Any thread.</summary>
    /// <param name="level">How bad it is.</param>
    /// <param name="key">The stream that it is about.</param>
    /// <param name="text">A sentence.</param>
    public static void Write(LogLevel level, string key, string text)
    {
        if ((uint)level > Volatile.Read(ref _level))
        {
            return;
        }

        byte* line = stackalloc byte[MaxLineBytes];
        NativeText.Copy($"{key}: {text}", line, MaxLineBytes);
        for (byte* each = line; *each != 0; each++)
        {
            // A peer's text must not begin a line of its own, nor steer a terminal.
            if (*each < ' ' || *each == 0x7F)
            {
                *each = (byte)' ';
            }
        }

        lock (Gate)
        {
            if ((uint)level <= _level)
            {
                _callback(_user, (uint)level, line);
            }
        }
    }
}
