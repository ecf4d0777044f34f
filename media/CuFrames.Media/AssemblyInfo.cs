using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]

// Every struct that crosses to the shim is blittable and has the shim's layout.
[assembly: DisableRuntimeMarshalling]
