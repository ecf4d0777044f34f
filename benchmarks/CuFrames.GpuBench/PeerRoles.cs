namespace CuFrames.Benchmarks.Gpu;

/// <summary>What this program does when a measurement starts it as a process of its own.</summary>
internal static class PeerRoles
{
    public const string LatencyPublisher = "latency-publisher";
    public const string LatencyReader = "latency-reader";
    public const string StreamReader = "stream-reader";
    public const string HoldingReader = "holding-reader";
    public const string FirstFrameReader = "first-frame-reader";

    public static int Run(string[] arguments)
    {
        try
        {
            return Play(arguments[0], arguments[1..]);
        }
        catch (Exception error)
        {
            // The measurement shows what stands here.
            Console.Error.WriteLine($"{error.GetType().Name}: {error.Message}");
            return 70;
        }
    }

    private static int Play(string role, string[] arguments)
    {
        switch (role)
        {
            case LatencyPublisher:
                Latency.LatencyPublisher.Run(arguments);
                break;
            case LatencyReader:
                Latency.LatencyReader.Run(arguments);
                break;
            case StreamReader:
                Cameras.StreamReader.Run(arguments);
                break;
            case HoldingReader:
                Reclaim.HoldingReader.Run(arguments);
                break;
            case FirstFrameReader:
                OnDemand.FirstFrameReader.Run(arguments);
                break;
            default:
                Console.Error.WriteLine($"There is no role '{role}'.");
                return 64;
        }

        return 0;
    }
}
