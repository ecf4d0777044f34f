using System.Runtime.InteropServices;
using CuFrames.Interop;

namespace CuFrames.Daemon.Tests;

/// <summary>The double of the CUDA driver (tests/fakecuda), for the daemon and for readers in the tests' own process.</summary>
internal static class CudaDouble
{
    /// <summary>UUIDs of its devices by index.</summary>
    public static readonly string[] Uuids = ["GPU-fa4ecada-0000-4000-8000-000000000000", "GPU-fa4ecada-0000-4000-8000-000000000001"];

    /// <summary>The library that the build put beside the tests.</summary>
    public static readonly string Library = Path.Combine(AppContext.BaseDirectory, "fakecuda", "libcuda.so.1");

    private static readonly Lazy<nint> Loaded = new(() => NativeLibrary.Load(Library));

    /// <summary>Makes a daemon that finds the double; not started yet.</summary>
    /// <param name="configuration">Content of the configuration file.</param>
    /// <param name="variables">More of its environment, such as FAKECUDA_FAIL.</param>
    public static DaemonProcess Prepare(string configuration, params ReadOnlySpan<(string Name, string Value)> variables)
    {
        DaemonProcess daemon = new(configuration);
        daemon.Environment["LD_LIBRARY_PATH"] = Path.GetDirectoryName(Library);
        daemon.Environment["CUDA_VISIBLE_DEVICES"] = null;
        foreach ((string name, string value) in variables)
        {
            daemon.Environment[name] = value;
        }

        return daemon;
    }

    /// <summary>Starts a daemon that finds the double, and waits until it is ready.</summary>
    /// <param name="configuration">Content of the configuration file.</param>
    /// <param name="variables">More of its environment, such as FAKECUDA_FAIL.</param>
    public static DaemonProcess Run(string configuration, params ReadOnlySpan<(string Name, string Value)> variables)
    {
        DaemonProcess daemon = Prepare(configuration, variables);
        try
        {
            daemon.Start();
            daemon.WaitForLog("[101 ready]");
            return daemon;
        }
        catch
        {
            daemon.Dispose();
            throw;
        }
    }

    /// <summary>Lets this process read frames in device memory. The dynamic linker knows a library that is loaded by its name from then on.</summary>
    public static void LoadHere()
    {
        _ = Loaded.Value;
        CudaDriver.Initialise();
    }
}
