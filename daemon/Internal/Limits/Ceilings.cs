using System.Globalization;
using CuFrames.Client;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Limits;

/// <summary>
/// What all cameras and readers of the daemon may take together. Each limit is below the machine's own, so that a newcomer is told and those who are there
/// go on, where the kernel would end processes or refuse whoever asks next. The limits change at a reload; what is in use stays. Made and changed on the
/// control thread, used by any.
/// </summary>
internal sealed class Ceilings
{
    /// <summary>Descriptors that a camera needs: listeners, locks and memory of its streams, its source, its decoder.</summary>
    internal const int DescriptorsOfCamera = 24;

    /// <summary>Descriptors that are left to the daemon itself by <c>auto</c>: one in so many, ...</summary>
    private const int DescriptorShare = 8;

    /// <summary>... and so many at least. A configuration that asks for more gets as many less than the process may have: without any descriptor the runtime cannot go on.</summary>
    private const int LeastDescriptors = 32;

    private readonly int _descriptorsOfProcess;

    /// <summary>Raises the kernel's limit of descriptors as far as it goes, and sets the daemon's own.</summary>
    internal Ceilings(LimitsConfiguration configuration)
    {
        _descriptorsOfProcess = ProcessLimits.RaiseDescriptors();
        Memory = new MemoryBudget(MemoryOf(configuration), $"main memory (limits.{LimitsKey.Memory})");
        Descriptors = new DescriptorLimit(DescriptorsOf(configuration));
        Configuration = configuration;
    }

    internal LimitsConfiguration Configuration { get; private set; }

    /// <summary>Main memory of all rings.</summary>
    internal MemoryBudget Memory { get; }

    /// <summary>Descriptors of the daemon.</summary>
    internal DescriptorLimit Descriptors { get; }

    /// <summary>Makes the limits those of another configuration.</summary>
    internal void Apply(LimitsConfiguration configuration)
    {
        Memory.Limit = MemoryOf(configuration);
        Descriptors.Limit = DescriptorsOf(configuration);
        Configuration = configuration;
    }

    /// <summary>What holds, for people.</summary>
    public override string ToString()
    {
        string memory = Memory.Limit == long.MaxValue ? "none" : string.Create(CultureInfo.InvariantCulture, $"{Memory.Limit / 1048576.0:0} MiB");
        return string.Create(
            CultureInfo.InvariantCulture,
            $"Main memory of all rings: {memory}; file descriptors: {Descriptors.Limit} of {_descriptorsOfProcess}; cameras: {Configuration.Cameras}.");
    }

    /// <summary>A fifth is left to decoders, the program and the rest of the machine.</summary>
    private static long MemoryOf(LimitsConfiguration configuration) => configuration.Memory == 0 ? MachineMemory.ReadLimit() / 5 * 4 : configuration.Memory;

    private int DescriptorsOf(LimitsConfiguration configuration) =>
        configuration.Descriptors == 0
            ? Math.Max(1, _descriptorsOfProcess - Math.Max(LeastDescriptors, _descriptorsOfProcess / DescriptorShare))
            : Math.Max(1, Math.Min(configuration.Descriptors, _descriptorsOfProcess - LeastDescriptors));
}
