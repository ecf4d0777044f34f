using System.Runtime.InteropServices;
using System.Text.Json;

namespace CuFrames.Interop.Tests;

/// <summary>
/// The test double of the CUDA driver (tests/fakecuda). This process loads it by its full path before anything asks for the driver; the
/// dynamic linker then knows the name libcuda.so.1. Children find it by LD_LIBRARY_PATH.
/// </summary>
internal static unsafe class CudaDouble
{
    private static readonly nint Library = NativeLibrary.Load(Path.Combine(Folder, "libcuda.so.1"));

    /// <summary>Where the build has put the double.</summary>
    internal static string Folder => Path.Combine(AppContext.BaseDirectory, "fakecuda");

    /// <summary>Objects that were made and not destroyed, of all kinds.</summary>
    internal static long LiveObjects => (long)((delegate* unmanaged<ulong>)Export("fakecuda_live_objects"))();

    /// <summary>The context that is current for this thread.</summary>
    internal static nint CurrentContext
    {
        get
        {
            nint context;
            Require(((delegate* unmanaged<nint*, int>)Export("cuCtxGetCurrent"))(&context));
            return context;
        }
    }

    /// <summary>The driver with the double under it.</summary>
    internal static CudaDevice Device
    {
        get
        {
            _ = Library;
            return CudaDriver.Devices[0];
        }
    }

    /// <summary>A context of its own beside the primary one; it is current for this thread afterwards.</summary>
    internal static nint CreateContext()
    {
        nint context;
        Require(((delegate* unmanaged<nint*, uint, int, int>)Export("cuCtxCreate_v2"))(&context, 0, 0));
        return context;
    }

    internal static void DestroyContext(nint context) =>
        Require(((delegate* unmanaged<nint, int>)Export("cuCtxDestroy_v2"))(context));

    /// <summary>Makes a context current, or none.</summary>
    internal static void SetCurrentContext(nint context) =>
        Require(((delegate* unmanaged<nint, int>)Export("cuCtxSetCurrent"))(context));

    /// <summary>How often a call was made, so far.</summary>
    internal static long CountOf(string call) => ReadCounts().TryGetProperty("calls", out JsonElement calls) &&
        calls.TryGetProperty(call, out JsonElement count) ? count.GetInt64() : 0;

    /// <summary>What went with its context instead of being destroyed.</summary>
    internal static long LostObjects =>
        ReadCounts().GetProperty("lost_with_context").EnumerateObject().Sum(kind => kind.Value.GetInt64());

    /// <summary>The environment of a child that uses the double.</summary>
    internal static Dictionary<string, string?> Environment(params (string Name, string? Value)[] more)
    {
        var variables = new Dictionary<string, string?> { ["LD_LIBRARY_PATH"] = Folder, ["CUDA_VISIBLE_DEVICES"] = null };
        foreach ((string name, string? value) in more)
        {
            variables[name] = value;
        }

        return variables;
    }

    private static JsonElement ReadCounts()
    {
        string path = Path.Combine(Path.GetTempPath(), $"fakecuda-counts-{Guid.NewGuid():N}");
        nint text = Marshal.StringToCoTaskMemUTF8(path);
        try
        {
            Require(((delegate* unmanaged<nint, int>)Export("fakecuda_write_counts"))(text));
            using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
            return document.RootElement.Clone();
        }
        finally
        {
            File.Delete(path);
            Marshal.FreeCoTaskMem(text);
        }
    }

    private static nint Export(string name) => NativeLibrary.GetExport(Library, name);

    private static void Require(int result)
    {
        if (result != 0)
        {
            throw new InvalidOperationException($"The double answered {result}.");
        }
    }
}
