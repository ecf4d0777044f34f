using System.Text.Json;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>A file of protocol/test-vectors.</summary>
internal static class VectorFile
{
    public static string Folder { get; } = Repository.PathOf("protocol", "test-vectors");

    /// <summary>The vectors of a file. Fails when the file, or a vector, has a key that its test does not know.</summary>
    /// <param name="name">The file's name.</param>
    /// <param name="keys">Keys that a vector may have beside the common ones.</param>
    public static IReadOnlyList<JsonElement> Read(string name, params string[] keys)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, name)));
        Assert.Equal(["schema", "document", "vectors"], document.RootElement.EnumerateObject().Select(property => property.Name));
        Assert.Equal(1, document.RootElement.GetProperty("schema").GetInt32());
        List<JsonElement> vectors = [.. document.RootElement.GetProperty("vectors").EnumerateArray().Select(vector => vector.Clone())];
        Assert.NotEmpty(vectors);
        string[] known = ["name", "paragraph", "hex", "error", "error_code", "fields", .. keys];
        foreach (JsonElement vector in vectors)
        {
            string[] unknown = [.. vector.EnumerateObject().Select(property => property.Name).Except(known)];
            Assert.True(unknown.Length == 0, $"{name}, {NameOf(vector)}: no test knows what '{string.Join("', '", unknown)}' means.");
            Assert.True(Document.ProtocolDocument.Current.Paragraphs.ContainsKey(vector.GetProperty("paragraph").GetString()!),
                $"{name}, {NameOf(vector)} tests a paragraph that the document does not have.");
        }

        string[] names = [.. vectors.Select(NameOf)];
        Assert.Equal(names.Distinct(), names);
        return vectors;
    }

    public static TheoryData<string> Names(IEnumerable<JsonElement> vectors) => [.. vectors.Select(NameOf)];

    public static JsonElement Get(IEnumerable<JsonElement> vectors, string name) => vectors.Single(vector => NameOf(vector) == name);

    public static byte[] Bytes(JsonElement vector) => Convert.FromHexString(vector.GetProperty("hex").GetString()!);

    /// <summary>The code that a bad vector must give; null for a good one.</summary>
    public static ErrorCode? Error(JsonElement vector)
    {
        if (!vector.TryGetProperty("error", out JsonElement error))
        {
            Assert.False(vector.TryGetProperty("error_code", out _), "A vector has an error_code and no error.");
            return null;
        }

        ErrorCode code = Enum.Parse<ErrorCode>(Document.ProtocolDocument.PascalCase(error.GetString()!));
        Assert.Equal((uint)code, vector.GetProperty("error_code").GetUInt32());
        Assert.False(vector.TryGetProperty("fields", out _), "A vector has fields and an error.");
        return code;
    }

    public static ulong UInt64(JsonElement vector, string key) => ulong.Parse(vector.GetProperty(key).GetString()!, System.Globalization.CultureInfo.InvariantCulture);

    public static string NameOf(JsonElement vector) =>
        vector.TryGetProperty("name", out JsonElement name) ? name.GetString()! : vector.GetProperty("key").GetString()!;
}
