using CuFrames.Media.Tests;
using Xunit.Runner.InProc.SystemConsole;

return args is ["--publish", ..] ? PublishChild.Run(args[1..]) : await ConsoleRunner.Run(args);
