return CuFrames.Conformance.CommandLine.Run(args);
