using System.Text.Json;

namespace CuFrames.Fuzz;

/// <summary>The bytes of protocol/test-vectors, as seeds.</summary>
internal sealed class TestVectors(string repository)
{
    /// <summary>The vectors of a file.</summary>
    /// <param name="file">The file's name without its ending.</param>
    public IReadOnlyList<JsonElement> Of(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(repository, "protocol", "test-vectors", file + ".json")));
        return [.. document.RootElement.GetProperty("vectors").EnumerateArray().Select(vector => vector.Clone())];
    }

    public static byte[] Bytes(JsonElement vector) => Convert.FromHexString(vector.GetProperty("hex").GetString()!);

    public static ulong UInt64(JsonElement vector, string key) =>
        ulong.Parse(vector.GetProperty(key).GetString()!, System.Globalization.CultureInfo.InvariantCulture);
}
