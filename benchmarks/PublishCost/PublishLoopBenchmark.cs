using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters.Json;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.PublishCost;

/// <summary>Publish, take and release in one process and one thread, by BenchmarkDotNet: time and allocated bytes of each.</summary>
public class PublishLoopBenchmark : IDisposable
{
    private TemporaryDirectory? _directory;
    private FramePublisher? _publisher;
    private FrameSubscriber? _subscriber;

    /// <summary>Arguments: directory for what BenchmarkDotNet writes.</summary>
    internal static void Run(string[] arguments)
    {
        ManualConfig config = ManualConfig.CreateEmpty()
            .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddExporter(JsonExporter.Full)
            .AddLogger(NullLogger.Instance)
            .WithArtifactsPath(arguments[0]);
        BenchmarkDotNet.Reports.Summary summary = BenchmarkDotNet.Running.BenchmarkRunner.Run<PublishLoopBenchmark>(config);
        foreach (BenchmarkReport report in summary.Reports)
        {
            if (report.ResultStatistics is not { } statistics)
            {
                throw new InvalidOperationException($"BenchmarkDotNet has no result for {report.BenchmarkCase.DisplayInfo}.");
            }

            double bytes = report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase) ?? double.NaN;
            PeerLink.Say(FormattableString.Invariant(
                $"RESULT {report.BenchmarkCase.Descriptor.WorkloadMethod.Name} {statistics.Min:0.##} {statistics.Median:0.##} {statistics.Max:0.##} {bytes}"));
        }

        PeerLink.Say("END");
    }

    [GlobalSetup]
    public void SetUp()
    {
        _directory = new TemporaryDirectory();
        _publisher = FramePublisher.Create("loop", new StreamFormat(PixelFormat.Gray8, 64, 16), new PublisherOptions { Directory = _directory.Path });
        _subscriber = FrameSubscriber.Connect("loop", new SubscriberOptions { Directory = _directory.Path });
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _subscriber?.Dispose();
        _publisher?.Dispose();
        _directory?.Dispose();
        _directory = null;
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public ulong Publish()
    {
        _ = _publisher!.TryBeginFrame(out FrameWriter writer);
        return writer.Publish();
    }

    [Benchmark]
    public ulong PublishTakeRelease()
    {
        _ = _publisher!.TryBeginFrame(out FrameWriter writer);
        writer.Publish();
        if (!_subscriber!.TryTake(out Frame frame))
        {
            throw new InvalidOperationException("The frame that was just published cannot be taken.");
        }

        ulong sequence = frame.Sequence;
        frame.Dispose();
        return sequence;
    }

    [Benchmark]
    public bool TakeNothing() => _subscriber!.TryTake(out _);
}
