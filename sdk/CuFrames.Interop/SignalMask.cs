using System.Runtime.CompilerServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Keeps signals away from the calling thread, and from the threads that it starts meanwhile, which inherit its mask for good: a library's
/// background thread must not run the signal handlers of the program that it serves. <see cref="Dispose"/> gives the calling thread its mask back.
/// </summary>
/// <remarks>
/// Not blocked are SIGRTMIN, which .NET sends between its threads to stop them for a collection, and SIGSEGV, SIGBUS, SIGFPE and SIGILL. The kernel sends
/// these four to the thread that made the fault, whatever its mask says, and ends the process if they are blocked: .NET makes a
/// <see cref="NullReferenceException"/> of the first, which a thread that serves many streams has to survive.
/// </remarks>
public readonly unsafe ref struct SignalMask
{
    private readonly Saved _before;

    private SignalMask(Saved before) => _before = before;

    /// <summary>Blocks all signals but those named above for the calling thread.</summary>
    /// <returns>To be disposed by the same thread.</returns>
    public static SignalMask BlockAll()
    {
        ulong* mask = stackalloc ulong[LibC.SignalSetWords];
        new Span<ulong>(mask, LibC.SignalSetWords).Fill(ulong.MaxValue);
        foreach (int signal in (ReadOnlySpan<int>)[LibC.FirstRealTimeSignal(), LibC.SIGSEGV, LibC.SIGBUS, LibC.SIGFPE, LibC.SIGILL])
        {
            mask[0] &= ~(1UL << (signal - 1));
        }

        Saved before = default;
        Set(mask, (ulong*)&before);
        return new SignalMask(before);
    }

    /// <summary>Gives the calling thread back the mask that it had.</summary>
    public void Dispose()
    {
        fixed (Saved* before = &_before)
        {
            Set((ulong*)before, null);
        }
    }

    private static void Set(ulong* mask, ulong* old)
    {
        int error = LibC.ThreadSignalMask(LibC.SIG_SETMASK, mask, old);
        if (error != 0)
        {
            throw new LinuxException("pthread_sigmask", error, "set the signal mask of a thread");
        }
    }

    /// <summary>sigset_t.</summary>
    [InlineArray(LibC.SignalSetWords)]
    private struct Saved
    {
        private ulong _first;
    }
}
