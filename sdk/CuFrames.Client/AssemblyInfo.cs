using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]

// The tests and the fuzzer reach the checks of peers' bytes without a peer.
[assembly: InternalsVisibleTo("CuFrames.Client.Tests")]
[assembly: InternalsVisibleTo("CuFrames.Fuzz")]
[assembly: InternalsVisibleTo("CuFrames.Protocol.Tests")]

// The C interface keeps an open frame from one call to the next.
[assembly: InternalsVisibleTo("CuFrames.Native")]

// A camera's renditions hold their open frames while the camera reads one frame ahead.
[assembly: InternalsVisibleTo("CuFrames.Media")]

// The daemon's taps decide by the same rule as its streams who may read.
[assembly: InternalsVisibleTo("cuframesd")]
