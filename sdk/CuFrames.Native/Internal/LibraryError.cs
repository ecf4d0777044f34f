namespace CuFrames.Native.Internal;

/// <summary>The library's own error codes, which are never sent to another process: enum cuframes_error from 1000 on.</summary>
internal enum LibraryError
{
    InvalidArgument = 1000,
    InvalidHandle = 1001,
    Busy = 1002,
    Forked = 1003,
    Interrupted = 1004,
    Dropped = 1005,
    WrongState = 1006,
    Internal = 1007,
}
