using System.Text.Encodings.Web;
using System.Text.Json;

namespace CuFrames.Benchmarks.Report;

/// <summary>JSON for files that people look at too.</summary>
internal static class JsonText
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(string path, object value) => File.WriteAllText(path, JsonSerializer.Serialize(value, Options) + "\n");

    public static T? Read<T>(string path) => JsonSerializer.Deserialize<T>(File.ReadAllText(path), Options);
}
