using System.IO.Compression;
using System.Text.Json.Serialization;
using CuFrames.Benchmarks.Running;

namespace CuFrames.Benchmarks.Report;

/// <summary>Everything that a benchmark measured, as it lies in <c>raw/NAME.json</c>; longer tables lie beside it.</summary>
internal sealed class RawData
{
    public required string Name { get; init; }

    public bool IsQuick { get; init; }

    /// <summary>What the machine did besides, and which version was measured.</summary>
    public Conditions? Conditions { get; set; }

    public Dictionary<string, string> Parameters { get; init; } = [];

    public List<string> NotMeasured { get; init; } = [];

    public List<Measurement> Measurements { get; init; } = [];

    /// <summary>Where it lies; not part of it.</summary>
    [JsonIgnore]
    public string Folder { get; private set; } = "";

    public static string PathOf(string folder, string name) => Path.Combine(folder, name + ".json");

    public static RawData? Read(string folder, string name)
    {
        string path = PathOf(folder, name);
        if (!File.Exists(path))
        {
            return null;
        }

        RawData raw = JsonText.Read<RawData>(path) ?? throw new InvalidDataException($"{path} is empty. Run the benchmark again.");
        raw.Folder = folder;
        return raw;
    }

    public void Write(string folder)
    {
        // A run that is cut off leaves no half file under the name that a later run would trust.
        string path = PathOf(folder, Name);
        JsonText.Write(path + ".part", this);
        File.Move(path + ".part", path, overwrite: true);
    }

    /// <summary>A value over the repetitions of a case.</summary>
    public double[] Values(string @case, string name) =>
        [.. Measurements.Where(measurement => measurement.Case == @case && measurement.Values.ContainsKey(name)).Select(measurement => measurement.Values[name])];

    /// <summary>Rows of a table, each split at its commas.</summary>
    public IEnumerable<string[]> Table(string file)
    {
        using Stream stream = File.OpenRead(Path.Combine(Folder, file));
        using StreamReader reader = new(file.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(stream, CompressionMode.Decompress) : stream);
        reader.ReadLine();
        while (reader.ReadLine() is { } line)
        {
            yield return line.Split(',');
        }
    }
}
