using System.Text.Json;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>What the double of the CUDA driver counted in a process (tests/fakecuda/README.md).</summary>
internal sealed class CudaCounts
{
    private readonly JsonElement _root;

    private CudaCounts(JsonElement root)
    {
        _root = root;
    }

    public static CudaCounts Read(string path) => new(JsonDocument.Parse(File.ReadAllText(path)).RootElement);

    /// <summary>Number of copies in a direction: HtoD, DtoH, DtoD, HtoH.</summary>
    public long Copies(string direction) => _root.GetProperty("copies").GetProperty(direction).GetProperty("count").GetInt64();

    /// <summary>Number of uses of a function.</summary>
    public long Calls(string name) => _root.GetProperty("calls").TryGetProperty(name, out JsonElement count) ? count.GetInt64() : 0;

    /// <summary>Nothing of the driver's is left, and nothing went only because its context did.</summary>
    public void AssertNothingIsLeft()
    {
        AssertNone("live");
        AssertNone("lost_with_context");
    }

    /// <summary>Nothing of the driver's is left.</summary>
    public void AssertNothingIsLive() => AssertNone("live");

    private void AssertNone(string kind)
    {
        JsonElement objects = _root.GetProperty(kind);
        Assert.All(objects.EnumerateObject(), each => Assert.True(each.Value.GetInt64() == 0, $"{kind}: {objects}"));
    }

    public override string ToString() => _root.ToString();
}
