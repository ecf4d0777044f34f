namespace CuFrames.Cli.Internal;

/// <summary>A GPU that a process can use, as it goes to JSON.</summary>
/// <param name="Ordinal">Its number in that process.</param>
/// <param name="Name">The product's name.</param>
/// <param name="Uuid">The UUID as nvidia-smi prints it.</param>
/// <param name="ComputeCapability">For example 9.0.</param>
/// <param name="PciBusId">The PCI address.</param>
/// <param name="MemoryBytes">Memory of the device, whoever uses it.</param>
internal sealed record GpuDevice(int Ordinal, string Name, string Uuid, string ComputeCapability, string PciBusId, long MemoryBytes);
