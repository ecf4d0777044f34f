namespace CuFrames.TestKit;

/// <summary>What <see cref="DriverAudit"/> counted since the process began.</summary>
/// <param name="HostToDevice">Copies from main memory to the device. One that copies a plane counts as one.</param>
/// <param name="DeviceToHost">Copies from the device to main memory.</param>
/// <param name="DeviceToDevice">Copies on the device.</param>
/// <param name="OtherCopies">Copies whose direction the call does not name.</param>
/// <param name="Launches">Kernels launched.</param>
/// <param name="Decoders">NVDEC decoders created.</param>
/// <param name="OpenDecoders">NVDEC decoders that there are now.</param>
public readonly record struct DriverCounts(
    long HostToDevice, long DeviceToHost, long DeviceToDevice, long OtherCopies, long Launches, long Decoders, long OpenDecoders);
