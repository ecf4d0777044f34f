using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace CuFrames.Interop.Internal;

/// <summary>
/// Opens the driver's library, once and for the life of the process: the driver cannot be unloaded safely, its threads may run.
/// </summary>
internal static class CudaLibrary
{
    // Written by Open before it installs the resolver, read by the resolver. Opening again gives the same handle.
    private static nint _handle;

    // Written once, after the resolver is in place; read by any thread.
    private static volatile bool _isOpen;

    /// <summary>Whether calls of <see cref="CudaNative"/> can be made.</summary>
    internal static bool IsOpen => _isOpen;

    /// <summary>Opens the library and points <see cref="CudaNative"/> at it. One thread at a time; again after a failure.</summary>
    /// <param name="obstacle">Why it cannot be used, as a sentence; null if it can.</param>
    /// <returns>The library's path as the kernel knows it, links resolved; empty if it cannot be used.</returns>
    internal static string Open(out string? obstacle)
    {
        try
        {
            _handle = NativeLibrary.Load(CudaNative.Library);
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
        {
            obstacle = $"The CUDA driver's library {CudaNative.Library} cannot be opened: {Reason(error.Message)} " +
                "Install the NVIDIA driver, or in a container let the NVIDIA container toolkit bring it in " +
                "(--gpus all, NVIDIA_DRIVER_CAPABILITIES=compute,video,utility).";
            return string.Empty;
        }

        string path = PathOf(_handle);
        string[] missing = [.. CudaNative.EntryPoints.Where(name => !NativeLibrary.TryGetExport(_handle, name, out _))];
        if (missing.Length > 0)
        {
            obstacle = $"The CUDA driver {path} lacks {string.Join(", ", missing.Take(3))}" +
                $"{(missing.Length > 3 ? $" and {missing.Length - 3} more calls" : string.Empty)}: " +
                "it is too old. Install an NVIDIA driver of version 515 or later.";
            return string.Empty;
        }

        // It can be set once; the library may be opened again because its initialisation failed.
        if (!_isOpen)
        {
            NativeLibrary.SetDllImportResolver(typeof(CudaLibrary).Assembly, Resolve);
            _isOpen = true;
        }

        obstacle = null;
        return path;
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) =>
        name == CudaNative.Library ? _handle : 0;

    /// <summary>The file that holds the code of cuInit: its name carries the driver's version.</summary>
    private static string PathOf(nint library)
    {
        if (!NativeLibrary.TryGetExport(library, "cuInit", out nint code))
        {
            return CudaNative.Library;
        }

        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            // "7f0a10000000-7f0a10200000 r-xp 00000000 08:01 131 /usr/lib/x86_64-linux-gnu/libcuda.so.580.65.06"
            int dash = line.IndexOf('-', StringComparison.Ordinal);
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            ulong start = ulong.Parse(line.AsSpan(0, dash), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            ulong end = ulong.Parse(line.AsSpan(dash + 1, space - dash - 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            int path = line.IndexOf('/', StringComparison.Ordinal);
            if ((ulong)code >= start && (ulong)code < end && path > 0)
            {
                return line[path..];
            }
        }

        return CudaNative.Library;
    }

    /// <summary>What the dynamic linker said: the last line of the exception's text, after general advice.</summary>
    private static string Reason(string text)
    {
        string line = text.Trim().Split('\n')[^1];
        return line.EndsWith('.') ? line : line + ".";
    }
}
