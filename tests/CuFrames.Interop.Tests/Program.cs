using CuFrames.Interop.Tests;
using Xunit.Runner.InProc.SystemConsole;

return args is ["--child", ..] ? ChildProcess.Run(args[1..]) : await ConsoleRunner.Run(args);
