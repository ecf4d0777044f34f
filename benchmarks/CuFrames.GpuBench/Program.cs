using CuFrames.Benchmarks.Gpu;
using CuFrames.Benchmarks.Gpu.Running;

return args is ["peer", ..] ? PeerRoles.Run(args[1..]) : GpuBenchRun.Start(args);
