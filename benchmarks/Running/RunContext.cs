using System.Diagnostics;
using System.IO.Compression;
using CuFrames.Benchmarks.Report;

namespace CuFrames.Benchmarks.Running;

/// <summary>What a benchmark gets to run, and where it leaves what it measures.</summary>
internal sealed class RunContext(string name, string rawFolder, string repositoryFolder, bool isQuick, double? minutes = null)
{
    private readonly Stopwatch _watch = Stopwatch.StartNew();

    public RawData Raw { get; } = new() { Name = name, IsQuick = isQuick };

    public bool IsQuick { get; } = isQuick;

    /// <summary>The folder that holds CuFrames.sln.</summary>
    public string RepositoryFolder { get; } = repositoryFolder;

    /// <summary>Files that are kept between runs: the clips, and what benchmarks/Languages/build.sh makes.</summary>
    public string WorkFolder { get; } = Path.Combine(repositoryFolder, "artifacts", "benchmarks");

    /// <summary>The daemon that benchmarks/run.sh built.</summary>
    public string DaemonProgram => Path.Combine(RepositoryFolder, "daemon", "bin", "Release", "net10.0", "cuframesd");

    /// <summary>How long a benchmark watches that measures no speed but that nothing changes.</summary>
    public double Minutes { get; } = minutes ?? (isQuick ? 1 : 30);

    public int Repetitions => IsQuick ? 2 : 3;

    /// <summary>Chooses between the length of a real run and that of a quick one.</summary>
    public int Pick(int full, int quick)
    {
        return IsQuick ? quick : full;
    }

    public void Note(string key, object value) => Raw.Parameters[key] = FormattableString.Invariant($"{value}");

    public void Add(string @case, int repetition, params (string Name, double Value)[] values)
    {
        Raw.Measurements.Add(new Measurement(@case, repetition, values.ToDictionary(value => value.Name, value => value.Value)));
        Log($"{@case}, {repetition}: {string.Join(", ", values.Select(value => FormattableString.Invariant($"{value.Name} {value.Value:0.###}")))}");
    }

    /// <summary>A part that this machine cannot do, or that failed: it is shown in the summary.</summary>
    public void Miss(string what)
    {
        Raw.NotMeasured.Add(what);
        Log("not measured: " + what);
    }

    public StreamWriter CreateTable(string file, string header)
    {
        string path = Path.Combine(rawFolder, file);
        Stream stream = File.Create(path);
        StreamWriter writer = new(file.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(stream, CompressionLevel.Optimal) : stream);
        writer.WriteLine(header);
        return writer;
    }

    public string RawPath(string file) => Path.Combine(rawFolder, file);

    public void Log(string text) => Console.Error.WriteLine($"  {_watch.Elapsed.TotalSeconds,5:0} s {Raw.Name}: {text}");
}
