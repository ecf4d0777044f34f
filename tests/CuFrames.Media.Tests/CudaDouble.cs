using System.Runtime.InteropServices;
using System.Text.Json;
using CuFrames.Interop;

namespace CuFrames.Media.Tests;

/// <summary>
/// The test doubles of the CUDA driver (tests/fakecuda) and of NVDEC (nvdec-double), loaded into this process by their full paths before
/// anything asks for them. Every operation on a stream takes a random time, so that a missing wait shows.
/// </summary>
internal static unsafe class CudaDouble
{
    private static readonly nint Library = Load();
    private static nint _nvdec;

    /// <summary>Where the doubles are, for another process's LD_LIBRARY_PATH.</summary>
    public static string Folder => Path.Combine(AppContext.BaseDirectory, "nvdec-double");

    /// <summary>Decoder sessions that NVDEC has open.</summary>
    public static int Sessions => ((delegate* unmanaged<int>)NativeLibrary.GetExport(_nvdec, "nvdec_double_sessions"))();

    /// <summary>Most pictures of one decoder that were mapped at once, so far.</summary>
    public static long MostMapped => ((delegate* unmanaged<long>)NativeLibrary.GetExport(_nvdec, "nvdec_double_most_mapped"))();

    /// <summary>Sessions from which on NVDEC has no memory for one more.</summary>
    public static void SetSessionLimit(int limit)
    {
        _ = Library;
        ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(_nvdec, "nvdec_double_limit"))(limit);
    }

    /// <summary>The value of all bytes of the picture that a decoder was given as number <paramref name="picture"/>, from 0.</summary>
    public static byte ValueOf(long picture) => (byte)(1 + (picture % 250));

    /// <summary>A context on the double's device.</summary>
    public static CudaContext OpenContext()
    {
        _ = Library;
        return CudaDriver.Devices[0].OpenContext();
    }

    /// <summary>Objects that were made and not destroyed, of all kinds.</summary>
    public static long LiveObjects => (long)((delegate* unmanaged<ulong>)Export("fakecuda_live_objects"))();

    /// <summary>Copies so far.</summary>
    public static (long HostToDevice, long DeviceToHost, long DeviceToDevice) Copies
    {
        get
        {
            JsonElement copies = ReadCounts().GetProperty("copies");
            return (Count("HtoD"), Count("DtoH"), Count("DtoD"));

            long Count(string direction) => copies.GetProperty(direction).GetProperty("count").GetInt64();
        }
    }

    /// <summary>Uses of a call so far.</summary>
    public static long CallsOf(string call) => ReadCounts().GetProperty("calls").TryGetProperty(call, out JsonElement uses) ? uses.GetInt64() : 0;

    private static nint Load()
    {
        // The double reads the C library's environment, which .NET's own copy does not change.
        Set("FAKECUDA_DELAY_US", "0-400");
        string folder = Directory.CreateTempSubdirectory("cuframes-double-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        Set("FAKECUDA_DIR", folder);
        nint driver = NativeLibrary.Load(Path.Combine(Folder, "libcuda.so.1"));
        _nvdec = NativeLibrary.Load(Path.Combine(Folder, "libnvcuvid.so.1"));
        return driver;

        static void Set(string name, string value)
        {
            var set = (delegate* unmanaged<byte*, byte*, int, int>)NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "setenv");
            fixed (byte* nameText = System.Text.Encoding.UTF8.GetBytes(name + "\0"), valueText = System.Text.Encoding.UTF8.GetBytes(value + "\0"))
            {
                _ = set(nameText, valueText, 1);
            }
        }
    }

    private static JsonElement ReadCounts()
    {
        string path = Path.Combine(Path.GetTempPath(), $"fakecuda-counts-{Guid.NewGuid():N}");
        byte[] text = System.Text.Encoding.UTF8.GetBytes(path + "\0");
        try
        {
            fixed (byte* first = text)
            {
                int problem = ((delegate* unmanaged<byte*, int>)Export("fakecuda_write_counts"))(first);
                if (problem != 0)
                {
                    throw new InvalidOperationException($"The double cannot write {path}: error {problem}.");
                }
            }

            using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
            return document.RootElement.Clone();
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static nint Export(string name) => NativeLibrary.GetExport(Library, name);
}
