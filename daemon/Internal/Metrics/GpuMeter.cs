using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>
/// Asks how a GPU is used, on a thread of the pool: a driver may take its time, or never answer, and then the last answer stays. Only the control thread
/// uses it.
/// </summary>
internal sealed class GpuMeter
{
    /// <summary>An answer is used for that long, nanoseconds.</summary>
    private const long Fresh = 1_000_000_000;

    /// <summary>Written by the pool's thread (release), read by the control thread (acquire); the record is immutable.</summary>
    private GpuLoad? _load;

    /// <summary>1 while a question is under way: set by the control thread, cleared by the pool's, which does so last.</summary>
    private int _isAsking;

    private long _askedAt;

    /// <summary>Gives the last answer, and asks again if it is old.</summary>
    /// <param name="context">The context, for what NVML does not tell.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    /// <returns>Null: there was no answer yet.</returns>
    internal GpuLoad? Read(CudaContext context, long now)
    {
        if ((_askedAt == 0 || now - _askedAt >= Fresh) && Interlocked.CompareExchange(ref _isAsking, 1, 0) == 0)
        {
            _askedAt = now;
            ThreadPool.QueueUserWorkItem(_ =>
            {
                try
                {
                    Volatile.Write(ref _load, Ask(context));
                }
                finally
                {
                    Volatile.Write(ref _isAsking, 0);
                }
            });
        }

        return Volatile.Read(ref _load);
    }

    private static GpuLoad Ask(CudaContext context)
    {
        GpuLoad load = GpuMonitor.Read(context.Device);
        if (load.MemoryUsed is not null)
        {
            return load;
        }

        try
        {
            (long free, long total) = context.GetMemory();
            return load with { MemoryUsed = total - free, MemoryTotal = total };
        }
        catch (Exception error) when (error is CudaException or ObjectDisposedException)
        {
            // The context is broken or was given back, which the daemon finds and says by itself.
            return load;
        }
    }
}
