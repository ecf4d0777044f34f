using System.Runtime.InteropServices;
using CuFrames.Interop;

namespace CuFrames.TestKit;

/// <summary>
/// The CUDA driver that tests run on: the double (tests/fakecuda), or with CUFRAMES_TEST_GPU=1 the machine's own. The same tests run on both.
/// </summary>
/// <remarks>
/// The process of the tests loads the double by its full path before anything asks for the driver; the dynamic linker then knows the name
/// libcuda.so.1. Other processes find it by LD_LIBRARY_PATH: <see cref="ChildEnvironment"/>.
/// </remarks>
public static partial class TestCuda
{
    private static readonly Lazy<nint> Double = new(LoadDouble);

    /// <summary>Whether the machine's own driver is used.</summary>
    public static bool IsReal { get; } = Environment.GetEnvironmentVariable("CUFRAMES_TEST_GPU") == "1";

    /// <summary>Where the build has put the double.</summary>
    public static string Folder => Path.Combine(AppContext.BaseDirectory, "fakecuda");

    /// <summary>The test kernels (tests/kernels): a real driver compiles them, the double knows them by name.</summary>
    public static string Kernels => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "test_kernels.ptx"));

    /// <summary>What the environment of a peer that uses CUDA has beside the rest.</summary>
    public static IReadOnlyDictionary<string, string> ChildEnvironment
    {
        get
        {
            if (IsReal)
            {
                return new Dictionary<string, string>();
            }

            _ = Double.Value;
            return new Dictionary<string, string> { ["LD_LIBRARY_PATH"] = Folder, ["FAKECUDA_DIR"] = Shared.Path };
        }
    }

    /// <summary>The first device, for this process. On the double nothing of it is shared with tests that run elsewhere.</summary>
    public static CudaDevice Device
    {
        get
        {
            if (!IsReal)
            {
                _ = Double.Value;
            }

            CudaDriver.Initialise();
            return CudaDriver.Devices[0];
        }
    }

    // Where the double keeps what legacy handles name.
    private static TemporaryDirectory Shared => field ??= MakeShared();

    /// <summary>A function of the double.</summary>
    public static nint DoubleExport(string name) => NativeLibrary.GetExport(Double.Value, name);

    private static TemporaryDirectory MakeShared()
    {
        TemporaryDirectory made = new();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => made.Dispose();
        return made;
    }

    private static nint LoadDouble()
    {
        // What .NET calls the environment is its own copy: a library sees the process's.
        if (SetVariable("FAKECUDA_DIR", Shared.Path, 1) < 0)
        {
            throw new InvalidOperationException($"FAKECUDA_DIR cannot be set: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        return NativeLibrary.Load(Path.Combine(Folder, "libcuda.so.1"));
    }

    [LibraryImport("libc", EntryPoint = "setenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);
}
