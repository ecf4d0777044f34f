using CuFrames.TestKit;

namespace CuFrames.Daemon.Tests;

/// <summary>The double of the CUDA driver (tests/fakecuda), for daemons.</summary>
internal static class CudaDouble
{
    /// <summary>UUIDs of its devices by index.</summary>
    public static readonly string[] Uuids = ["GPU-fa4ecada-0000-4000-8000-000000000000", "GPU-fa4ecada-0000-4000-8000-000000000001"];

    /// <summary>The library that the build put beside the tests.</summary>
    public static string Library => Path.Combine(TestCuda.Folder, "libcuda.so.1");

    /// <summary>Makes a daemon that finds the double; not started yet.</summary>
    /// <param name="configuration">Content of the configuration file.</param>
    /// <param name="variables">More of its environment, such as FAKECUDA_FAIL.</param>
    public static DaemonProcess Prepare(string configuration, params ReadOnlySpan<(string Name, string Value)> variables)
    {
        DaemonProcess daemon = new(configuration);
        daemon.Environment["CUDA_VISIBLE_DEVICES"] = null;
        foreach ((string name, string value) in TestCuda.ChildEnvironment)
        {
            daemon.Environment[name] = value;
        }

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
}
