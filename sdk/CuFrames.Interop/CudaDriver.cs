using System.Diagnostics.CodeAnalysis;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// The NVIDIA driver of this machine, opened at run time (<c>libcuda.so.1</c>). A machine without it is a normal case:
/// <see cref="TryInitialise"/> says in a sentence what is missing. Nothing of CUDA is touched before that call. Thread-safe.
/// </summary>
public static class CudaDriver
{
    private static readonly Lock Gate = new();

    // Written under the gate, read by any thread (acquire). A success holds for the life of the process; after a failure the next who asks
    // tries again, because a driver may be installed, or a device brought in, while a service runs.
    private static CudaDriverState? _state;

    /// <summary>Whether the driver is in use: <see cref="TryInitialise"/> has succeeded.</summary>
    public static bool IsInitialised => Volatile.Read(ref _state) is { Failure: null };

    /// <summary>The file of the driver's library, links resolved: its name carries the driver's version.</summary>
    /// <exception cref="CudaException">The driver cannot be used.</exception>
    public static string LibraryPath => Require().LibraryPath;

    /// <summary>
    /// The newest CUDA that the driver supports, as it counts: 1000 × major + 10 × minor, so 13000 is 13.0 (<c>cuDriverGetVersion</c>).
    /// </summary>
    /// <exception cref="CudaException">The driver cannot be used.</exception>
    public static int Version => Require().Version;

    /// <summary>The devices that this process can use: what CUDA_VISIBLE_DEVICES leaves, in its order. At least one.</summary>
    /// <exception cref="CudaException">The driver cannot be used.</exception>
    public static IReadOnlyList<CudaDevice> Devices => Require().Devices;

    /// <summary>Whether calls can be made: the library is open, though it may not be initialised.</summary>
    internal static bool IsLoaded => CudaLibrary.IsOpen;

    /// <summary>
    /// Opens the driver's library, initialises it and looks at the devices. That takes up to seconds with many devices; after a success
    /// it is done for the life of the process, after a failure the next call tries again.
    /// </summary>
    /// <param name="obstacle">What was tried, what was found and what to do, as sentences; null on success.</param>
    /// <returns>Whether CUDA can be used.</returns>
    public static bool TryInitialise([NotNullWhen(false)] out string? obstacle)
    {
        obstacle = Ask().Failure?.Message;
        return obstacle is null;
    }

    /// <summary>The same as <see cref="TryInitialise"/>, for those who cannot do without.</summary>
    /// <exception cref="CudaException">The driver cannot be used; the text says why.</exception>
    public static void Initialise() => _ = Require();

    /// <summary>Looks for a device among <see cref="Devices"/>.</summary>
    /// <param name="uuid">The device's UUID, the same in all processes whatever their CUDA_VISIBLE_DEVICES.</param>
    /// <returns>The device; null when this process cannot see it.</returns>
    /// <exception cref="CudaException">The driver cannot be used.</exception>
    public static CudaDevice? FindDevice(Guid uuid)
    {
        foreach (CudaDevice device in Devices)
        {
            if (device.Uuid == uuid)
            {
                return device;
            }
        }

        return null;
    }

    private static CudaDriverState Require()
    {
        CudaDriverState state = Ask();

        // A new exception for each caller: a shared one would collect the stack traces of all.
        return state.Failure is { } failure
            ? throw CudaException.Unavailable(failure.Call, failure.Result, failure.Message)
            : state;
    }

    private static CudaDriverState Ask()
    {
        if (Volatile.Read(ref _state) is { Failure: null } open)
        {
            return open;
        }

        lock (Gate)
        {
            if (_state is not { Failure: null })
            {
                Volatile.Write(ref _state, CudaDriverState.Open());
            }

            return _state!;
        }
    }
}
