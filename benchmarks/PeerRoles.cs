using CuFrames.Benchmarks.Decode;
using CuFrames.Benchmarks.Languages;
using CuFrames.Benchmarks.Latency;
using CuFrames.Benchmarks.PublishCost;
using CuFrames.Benchmarks.Reclaim;
using CuFrames.Benchmarks.Transport;

namespace CuFrames.Benchmarks;

/// <summary>What this program does when a benchmark starts it as a process of its own.</summary>
internal static class PeerRoles
{
    public const string LatencyPublisher = "latency-publisher";
    public const string LatencyReader = "latency-reader";
    public const string FutexReader = "futex-reader";
    public const string CostPublisher = "cost-publisher";
    public const string CostReader = "cost-reader";
    public const string LanguageReader = "language-reader";
    public const string PublishLoop = "publish-loop";
    public const string TransportWriter = "transport-writer";
    public const string TransportReader = "transport-reader";
    public const string HoldingReader = "holding-reader";
    public const string DecodeReader = "decode-reader";
    public const string FirstFrameReader = "first-frame-reader";
    public const string RenditionReader = "rendition-reader";
    public const string OperateReaders = "operate-readers";
    public const string HostileReader = "hostile-reader";

    public static int Run(string[] arguments)
    {
        try
        {
            return Play(arguments);
        }
        catch (Exception error)
        {
            // The benchmark shows what stands here.
            Console.Error.WriteLine($"{error.GetType().Name}: {error.Message}");
            return 70;
        }
    }

    private static int Play(string[] arguments)
    {
        string role = arguments[0];
        string[] rest = arguments[1..];
        switch (role)
        {
            case LatencyPublisher:
                LatencyPeers.Publish(rest);
                break;
            case LatencyReader:
                LatencyPeers.Read(rest);
                break;
            case FutexReader:
                LatencyPeers.ReadFutex(rest);
                break;
            case CostPublisher:
                CostPeers.Publish(rest);
                break;
            case CostReader:
                CostPeers.Read(rest);
                break;
            case LanguageReader:
                LanguagePeers.Read(rest);
                break;
            case PublishLoop:
                PublishLoopBenchmark.Run(rest);
                break;
            case TransportWriter:
                TransportPeers.Write(rest);
                break;
            case TransportReader:
                TransportPeers.Read(rest);
                break;
            case HoldingReader:
                ReclaimPeers.Hold(rest);
                break;
            case DecodeReader:
                DecodePeers.Read(rest);
                break;
            case FirstFrameReader:
                OnDemand.FirstFrameReader.Run(rest);
                break;
            case RenditionReader:
                Renditions.RenditionPeers.Read(rest);
                break;
            case HostileReader:
                Hostile.HostileReader.Run(rest);
                break;
            case OperateReaders:
                Operate.OperatePeers.Read(rest);
                break;
            default:
                Console.Error.WriteLine($"There is no role '{role}'.");
                return 64;
        }

        return 0;
    }
}
