using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CuFrames.Benchmarks.Gpu.Running;

/// <summary>The JSON file. Figures of parts that are not measured again stay as they are.</summary>
internal sealed class BenchReport
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string _path;
    private readonly JsonObject _root;

    private BenchReport(string path, JsonObject root)
    {
        _path = path;
        _root = root;
    }

    public static BenchReport Open(string path) =>
        new(path, File.Exists(path) && JsonNode.Parse(File.ReadAllText(path)) is JsonObject root ? root : []);

    public JsonNode? this[string name] => _root[name];

    public void Set(string name, JsonNode? value) => _root[name] = value;

    /// <summary>What is told of a part's last measurement, under its name.</summary>
    public void SetPart(string part, JsonObject value)
    {
        if (_root["parts"] is not JsonObject parts)
        {
            _root["parts"] = parts = [];
        }

        parts[part] = value;
    }

    public void Write()
    {
        // A run that is cut off leaves no half file.
        File.WriteAllText(_path + ".part", _root.ToJsonString(Format) + "\n");
        File.Move(_path + ".part", _path, overwrite: true);
    }

    /// <summary>A figure for the JSON file, with as many digits as mean something.</summary>
    /// <exception cref="InvalidOperationException">There is no figure: nothing was measured.</exception>
    public static double Round(double value) => double.IsFinite(value)
        ? Math.Round(value, Math.Abs(value) < 10 ? 3 : Math.Abs(value) < 1000 ? 1 : 0)
        : throw new InvalidOperationException("Nothing was measured.");
}
