using System.Diagnostics;
using System.IO.Compression;
using CuFrames.Interop;

namespace CuFrames.Benchmarks.Gpu.Running;

/// <summary>What a part gets to run, and where it leaves what it measures.</summary>
internal sealed class PartContext(string part, BenchOptions options, BenchReport report, CudaDevice device, string workFolder)
{
    private readonly Stopwatch _watch = Stopwatch.StartNew();

    public BenchOptions Options => options;

    public BenchReport Report => report;

    public CudaDevice Device => device;

    /// <summary>Files that are not kept.</summary>
    public string WorkFolder => workFolder;

    public StreamWriter CreateTable(string file, string header)
    {
        Stream stream = File.Create(Path.Combine(options.RawFolder, file));
        StreamWriter writer = new(file.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(stream, CompressionLevel.Optimal) : stream);
        writer.WriteLine(header);
        return writer;
    }

    public void WritePlot(string file, string content) => File.WriteAllText(Path.Combine(options.RawFolder, file), content);

    public void Log(FormattableString text) => Console.Error.WriteLine(FormattableString.Invariant($"  {_watch.Elapsed.TotalSeconds,5:0} s {part}: ") + FormattableString.Invariant(text));
}
