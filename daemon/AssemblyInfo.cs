using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]

// The tests compare the tables of keys and events with the documentation.
[assembly: InternalsVisibleTo("CuFrames.Daemon.Tests")]
