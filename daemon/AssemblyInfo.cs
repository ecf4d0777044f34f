using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]

// The tests compare the tables of keys and events with the documentation.
[assembly: InternalsVisibleTo("CuFrames.Daemon.Tests")]
[assembly: InternalsVisibleTo("CuFrames.Web.Tests")]
[assembly: InternalsVisibleTo("CuFrames.Access.Tests")]
[assembly: InternalsVisibleTo("CuFrames.Resilience.Tests")]
[assembly: InternalsVisibleTo("CuFrames.Control.Tests")]
[assembly: InternalsVisibleTo("CuFrames.Operations.Tests")]
