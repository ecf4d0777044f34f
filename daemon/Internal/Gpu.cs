using System.Globalization;
using CuFrames.Client;
using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;
using V1 = CuFrames.Control.V1;

namespace CuFrames.Daemon.Internal;

/// <summary>
/// The GPU of all cameras that use one: one CUDA context, because each costs hundreds of megabytes, and the limits that they share. It is opened
/// when the first camera asks for it, on a thread of its own, because a driver takes up to seconds; after a failure it is tried again. Only the
/// control thread uses it.
/// </summary>
/// <param name="configuration">What the file says.</param>
/// <param name="log">The log.</param>
/// <param name="post">Hands work to the control thread, from any thread.</param>
internal sealed class Gpu(GpuConfiguration configuration, Log log, Action<Action> post) : IDisposable
{
    private const long Second = 1_000_000_000;

    /// <summary>An opening that takes longer is told as an obstacle.</summary>
    private const long LongOpening = 5 * Second;

    private readonly RetryDelay _delay = new();
    private readonly GpuMeter _meter = new();
    private CudaStream? _probe;
    private IDisposable? _kernel;
    private string? _failure;
    private string? _logged;
    private bool _isOpening;
    private bool _isDisposed;
    private long _openingSince;
    private long _nextAttempt;

    internal GpuConfiguration Configuration => configuration;

    /// <summary>The context; null while it is not open.</summary>
    internal CudaContext? Context { get; private set; }

    /// <summary>The limit of the memory of all rings; null: none.</summary>
    internal MemoryBudget? Budget { get; } =
        configuration.MemoryLimit == 0 ? null : new MemoryBudget(configuration.MemoryLimit, $"GPU memory (gpu.{GpuKey.MemoryLimit})");

    /// <summary>The limit of NVDEC decoders; null: none.</summary>
    internal DecoderAdmission? Decoders { get; } = configuration.MaxDecoders == 0 ? null : new DecoderAdmission(configuration.MaxDecoders);

    /// <summary>Attempts to open it that are over. Whoever waits looks again when it has changed.</summary>
    internal int Attempts { get; private set; }

    /// <summary>Whether the first opening is under way.</summary>
    internal bool IsUndecided => _isOpening && _failure is null;

    /// <summary>Whether anybody asked for the context.</summary>
    internal bool IsUsed => Context is not null || _isOpening || _failure is not null;

    /// <summary>Why no camera can use the GPU, for people; null when it is open, or is opened in the usual time.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal string? FindObstacle(long now) =>
        Context is not null ? null
        : _failure ?? (_isOpening && now - _openingSince > LongOpening ? "The CUDA driver takes unusually long to start. Look at nvidia-smi and the kernel's log." : null);

    /// <summary>Begins to open the context if it is not open and an attempt is due.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal void Open(long now)
    {
        if (Context is not null || _isOpening || _isDisposed || now < _nextAttempt)
        {
            return;
        }

        _isOpening = true;
        _openingSince = now;
        new Thread(() =>
        {
            string? failure = null;
            CudaContext? context = null;
            CudaStream? probe = null;
            IDisposable? kernel = null;
            try
            {
                context = FindDevice(configuration).OpenContext();
                probe = CudaStream.Create(context);
                kernel = LoadKernel(context);
            }
            catch (Exception error)
            {
                // The outermost frame of a thread: whatever it is, cameras that need no GPU go on.
                context?.Dispose();
                failure = error is CuFramesException ? error.Message : $"An internal error: {error.GetType().Name}: {error.Message} Please report it.";
            }

            post(() => Finish(context, probe, kernel, failure));
        })
        {
            IsBackground = true,
            Name = "gpu",
        }.Start();
    }

    /// <summary>Whether the context is broken: then every call in it fails, for as long as the process lives.</summary>
    /// <returns>What the driver says; null if it is not broken.</returns>
    internal string? FindBreak()
    {
        try
        {
            _ = _probe?.IsIdle;
            return null;
        }
        catch (CudaException error) when (error.IsSticky)
        {
            return error.Message;
        }
    }

    /// <summary>Tells how the GPU is used. What others have to be asked for is a second old, or is missing the first time: nobody waits for a driver.</summary>
    /// <param name="cameras">What the cameras do.</param>
    /// <returns>Null while it is not open.</returns>
    internal GpuSnapshot? Describe(IReadOnlyList<CameraSnapshot> cameras)
    {
        if (Context is not { } context)
        {
            return null;
        }

        GpuLoad? load = _meter.Read(context, MonotonicClock.NowNanoseconds);
        long rings = 0;
        foreach (StreamSnapshot stream in cameras.SelectMany(camera => camera.Streams).Where(stream => stream.Facts.Memory == MemoryDomain.Cuda))
        {
            rings += stream.Facts.Statistics.SegmentBytes + stream.Facts.Statistics.UnansweredBytes;
        }

        return new GpuSnapshot(
            context.Device.Name,
            context.Device.UuidText,
            load?.MemoryTotal ?? context.Device.TotalMemory,
            load?.MemoryUsed,
            rings,
            Budget?.Limit,
            cameras.Count(camera => camera.Facts is { Decoder: "nvdec", State: V1.CameraState.Live }),
            Decoders?.Limit,
            load?.DecoderUtilisation,
            load?.Utilisation,
            load?.Obstacle ?? "");
    }

    /// <summary>Gives the context back. No camera may run on it.</summary>
    public void Dispose()
    {
        _isDisposed = true;
        _kernel?.Dispose();
        _probe?.Dispose();
        Context?.Dispose();
        Context = null;
    }

    /// <summary>Why another configuration names no device of this machine. Only a driver that is in use already is asked: any other may take seconds.</summary>
    /// <param name="other">The other.</param>
    internal string? FindFault(GpuConfiguration other)
    {
        if (Context is null)
        {
            return null;
        }

        try
        {
            FindDevice(other);
            return null;
        }
        catch (CuFramesException error)
        {
            return error.Message;
        }
    }

    private static CudaDevice FindDevice(GpuConfiguration configuration)
    {
        CudaDriver.Initialise();
        GpuSelection wanted = configuration.Device;
        CudaDevice? device = wanted.Uuid is { } uuid ? CudaDriver.FindDevice(uuid)
            : wanted.Number < CudaDriver.Devices.Count ? CudaDriver.Devices[wanted.Number.Value]
            : null;
        return device ?? throw new CuFramesException(
            ErrorCode.CudaUnavailable,
            $"gpu.{GpuKey.Device} is {wanted}, and the CUDA driver shows {string.Join(", ", CudaDriver.Devices)}. " +
            "Correct the key, or check CUDA_VISIBLE_DEVICES and, in a container, the devices that are passed in; then restart the daemon.");
    }

    /// <summary>
    /// Loads the kernel of renditions, so that no camera's thread waits while the driver compiles it. Null if the driver refuses: each rendition that
    /// needs it finds the same and says so.
    /// </summary>
    private static IDisposable? LoadKernel(CudaContext context)
    {
        try
        {
            return CudaPictureScaler.LoadKernel(context);
        }
        catch (CudaException error) when (!error.IsSticky)
        {
            return null;
        }
    }

    private void Finish(CudaContext? context, CudaStream? probe, IDisposable? kernel, string? failure)
    {
        _isOpening = false;
        Attempts++;
        if (_isDisposed)
        {
            kernel?.Dispose();
            probe?.Dispose();
            context?.Dispose();
            return;
        }

        (Context, _probe, _kernel, _failure) = (context, probe, kernel, failure);
        if (context is null)
        {
            TimeSpan delay = _delay.Next();
            _nextAttempt = MonotonicClock.NowNanoseconds + (delay.Ticks * 100);
            if (failure != _logged)
            {
                _logged = failure;
                log.Write(LogEvents.GpuUnavailable, $"{failure} Cameras that need no GPU go on. It is tried again in {delay.TotalSeconds:0} s, and then at most every {RetryDelay.Longest.TotalSeconds:0} s.");
            }

            return;
        }

        string memory = Budget is null ? GpuKey.None : Mebibytes(Budget.Limit);
        string decoders = Decoders?.Limit.ToString(CultureInfo.InvariantCulture) ?? GpuKey.None;
        log.Write(
            LogEvents.GpuOpened,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{context.Device}, {Mebibytes(context.Device.TotalMemory)}, CUDA {CudaDriver.Version / 1000}.{CudaDriver.Version % 1000 / 10} by {CudaDriver.LibraryPath}. Limit of the memory of all rings: {memory}; of decoders: {decoders}."));
    }

    private static string Mebibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0} MiB");
}
