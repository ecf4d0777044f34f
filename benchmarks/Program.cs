using CuFrames.Benchmarks;
using CuFrames.Benchmarks.Running;

return args is ["peer", ..] ? PeerRoles.Run(args[1..]) : BenchmarkRun.Start(args);
