using System.Runtime.Versioning;
using Xunit;

[assembly: SupportedOSPlatform("linux")]

// The tests count this process's descriptors and lower its limits: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
