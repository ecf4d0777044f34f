using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>Tests that look at the memory of the whole device: each runs alone.</summary>
[CollectionDefinition("device memory", DisableParallelization = true)]
public sealed class DeviceMemoryTests;
