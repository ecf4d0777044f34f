namespace CuFrames.Native.Tests;

/// <summary>What the other tests run is there.</summary>
public sealed class ArtifactsTests
{
    [Fact]
    public void The_library_and_its_header_are_built()
    {
        Assert.True(File.Exists(NativeArtifacts.Library));
        Assert.True(File.Exists(Path.Combine(NativeArtifacts.Include, "cuframes.h")));
    }
}
