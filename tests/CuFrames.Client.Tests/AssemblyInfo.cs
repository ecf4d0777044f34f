using System.Runtime.Versioning;
using Xunit;

[assembly: SupportedOSPlatform("linux")]

// The tests count this process's descriptors, mappings and memory, and measure guaranteed times: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
