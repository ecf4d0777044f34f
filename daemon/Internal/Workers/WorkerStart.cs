using CuFrames.Daemon.Internal.Limits;

namespace CuFrames.Daemon.Internal.Workers;

/// <summary>What a worker is told first, through the pipe of its standard input: nothing of it may be seen in a list of processes. Holds secrets.</summary>
/// <param name="Version">The daemon's version: a worker of another one, from a program that was replaced meanwhile, ends at once.</param>
/// <param name="ParentProcessId">The daemon.</param>
/// <param name="Directory">The runtime directory.</param>
/// <param name="Camera">The camera.</param>
/// <param name="Gpu">The GPU, which the worker opens for itself if the camera needs it.</param>
/// <param name="Limits">What it may take.</param>
internal sealed record WorkerStart(
    string Version, int ParentProcessId, string Directory, CameraConfiguration Camera, GpuConfiguration Gpu, LimitsConfiguration Limits);
