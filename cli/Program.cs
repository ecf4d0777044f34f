using CuFrames.Cli.Internal;

return CommandTree.Run(args);
