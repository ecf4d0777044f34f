using System.Globalization;

namespace CuFrames.Cli.Internal;

/// <summary>Looks at what decides which devices and which legacy handles this process can use: its PID namespace and CUDA_VISIBLE_DEVICES.</summary>
internal static class NamespaceChecks
{
    /// <summary>The kernel's number of the machine's own PID namespace (PROC_PID_INIT_INO in include/linux/proc_ns.h).</summary>
    private const string InitialNamespace = "pid:[4026531836]";

    public static IEnumerable<Check> All(int devices) => [Namespace(), VisibleDevices(devices)];

    private static Check Namespace()
    {
        const string name = "pid namespace";
        int process = Environment.ProcessId;
        string? own = File.ResolveLinkTarget("/proc/self/ns/pid", returnFinalTarget: false)?.Name;
        if (own == InitialNamespace)
        {
            return Check.Ok(name, $"the machine's own; this process is PID {process}, a number that only a process of a container may have as well");
        }

        string first = File.Exists("/proc/1/comm") ? File.ReadAllText("/proc/1/comm").Trim() : "";
        string found = $"one of its own ({own}); this process is PID {process}, PID 1 is '{first}'";
        const string rule = "legacy handles (memory cuda-ipc) are refused with CUDA_IPC_NAMESPACE between two processes that have the same number in " +
            "PID namespaces of their own, such as the main programs of two containers, which are both PID 1";
        return process == 1
            ? Check.Warn(name, $"{found}; {rule}",
                "Nothing with memory cuda, the default for GPUs. Else give the container an init process (docker run --init) or a shared PID namespace (--pid).")
            : Check.Ok(name, $"{found}; {rule}; memory cuda is not affected");
    }

    private static Check VisibleDevices(int devices)
    {
        const string name = "visible devices";
        string? list = Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES");
        string count = string.Create(CultureInfo.InvariantCulture, $"{devices} {(devices == 1 ? "device" : "devices")}");
        if (list is null)
        {
            return Check.Ok(name, $"CUDA_VISIBLE_DEVICES is not set: all that the driver shows, {count}");
        }

        int named = list.Split(',').Length;
        return named > devices
            ? Check.Warn(name, $"CUDA_VISIBLE_DEVICES is '{list}' and leaves {count} of the {named} that it names",
                "The driver stops at the first name that fits no device: correct it. Streams on devices that are not visible are refused with DOMAIN_NOT_MAPPABLE.")
            : Check.Ok(name, $"CUDA_VISIBLE_DEVICES is '{list}' and leaves {count}; streams on other devices are refused with DOMAIN_NOT_MAPPABLE");
    }
}
