using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]

// libc is called in its own right: no probing of the application's folder for a library of that name.
[assembly: System.Runtime.InteropServices.DefaultDllImportSearchPaths(
    System.Runtime.InteropServices.DllImportSearchPath.SafeDirectories)]

// No locals are zeroed behind our back: the receive path reserves 80 bytes and the event loop 1 KiB per call.
[module: SkipLocalsInit]

// The tests send what no public method of this library would send.
[assembly: InternalsVisibleTo("CuFrames.Interop.Tests")]
[assembly: InternalsVisibleTo("cuframes-conformance")]
