using System.Runtime.InteropServices;
using System.Text.Json;
using CuFrames.TestKit;

namespace CuFrames.Interop.Tests;

/// <summary>
/// What tests ask of the driver beyond the binding: the current context, and the double's own counts. The driver is the one that
/// <see cref="TestCuda"/> has chosen; children find it by their environment.
/// </summary>
internal static unsafe class CudaProbe
{
    /// <summary>Objects that were made and not destroyed, of all kinds. A real driver does not tell: 0.</summary>
    internal static long LiveObjects => TestCuda.IsReal ? 0 : (long)((delegate* unmanaged<ulong>)Export("fakecuda_live_objects"))();

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

    /// <summary>How often a call was made, so far. A real driver does not tell: 0.</summary>
    internal static long CountOf(string call) => !TestCuda.IsReal && ReadCounts().TryGetProperty("calls", out JsonElement calls) &&
        calls.TryGetProperty(call, out JsonElement count) ? count.GetInt64() : 0;

    /// <summary>What went with its context instead of being destroyed.</summary>
    internal static long LostObjects =>
        ReadCounts().GetProperty("lost_with_context").EnumerateObject().Sum(kind => kind.Value.GetInt64());

    /// <summary>The environment of a child that uses the same driver.</summary>
    internal static Dictionary<string, string?> Environment(params ReadOnlySpan<(string Name, string? Value)> more)
    {
        var variables = TestCuda.ChildEnvironment.ToDictionary(pair => pair.Key, string? (pair) => pair.Value);
        if (!TestCuda.IsReal)
        {
            variables["CUDA_VISIBLE_DEVICES"] = null;
        }

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

    // By its name: the linker gives the library that the driver is, wherever that was found.
    private static nint Export(string name) => NativeLibrary.GetExport(NativeLibrary.Load("libcuda.so.1"), name);

    private static void Require(int result)
    {
        if (result != 0)
        {
            throw new InvalidOperationException($"The double answered {result}.");
        }
    }
}
