using CuFrames.Client;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal;

/// <summary>One epoch of one camera's streams of frames and packets: their publishers and the pump that feeds them. Only the control thread uses it.</summary>
internal sealed class CameraRun : IEndingRun
{
    private CameraRun(
        FramePublisher publisher, PacketPublisher? packets, CameraConfiguration configuration, Gpu gpu, Action<CameraRun, CameraStatus> onStatus)
    {
        Publisher = publisher;
        Packets = packets;
        Gpu = configuration.NeedsGpu ? gpu : null;
        Pump = new CameraPump(publisher, configuration.ToCameraOptions(gpu), ReportStatus, packets);

        void ReportStatus(CameraStatus status)
        {
            // On the pump's thread, which has just set the state itself: so a text never stands beside another state than its own.
            if (CameraChoice.StateText(configuration, Gpu, status) is { } text)
            {
                publisher.SetState(status.State == CameraState.Live ? StreamState.Live : StreamState.SourceLost, text);
            }

            onStatus(this, status);
        }
    }

    /// <inheritdoc/>
    public string Key => Publisher.Key;

    /// <inheritdoc/>
    public Gpu? Gpu { get; }

    /// <summary>The key is free at once.</summary>
    public bool HoldsKey => false;

    /// <summary>The limit of the device memory of the camera and its renditions; null: none.</summary>
    internal MemoryBudget? Budget { get; private init; }

    /// <summary>What all cameras may take.</summary>
    internal Ceilings? Ceilings { get; private init; }

    internal FramePublisher Publisher { get; }

    /// <summary>The camera's packets; null: they are not published.</summary>
    internal PacketPublisher? Packets { get; }

    internal CameraPump Pump { get; }

    /// <summary>What the pump said last; null before it was started.</summary>
    internal CameraStatus? Status { get; set; }

    internal bool IsStarted { get; private set; }

    /// <summary>Whether no thread of it runs (any more).</summary>
    internal bool HasEnded => Pump.WaitForEnd(TimeSpan.Zero);

    /// <summary>Takes the keys and listens. The source is opened by <see cref="Start"/>.</summary>
    internal static CameraRun Create(
        CameraConfiguration configuration, string directory, Gpu gpu, Ceilings ceilings, Action<PublisherEvent> onEvent, Action<CameraRun, CameraStatus> onStatus)
    {
        ceilings.Descriptors.Require($"Camera '{configuration.Key}'", Ceilings.DescriptorsOfCamera);
        MemoryBudget? budget = configuration.ToBudget(gpu);
        PublisherOptions frames = configuration.ToPublisherOptions(directory, onEvent, gpu, ceilings);
        FramePublisher publisher = FramePublisher.Create(configuration.Key, frames.Cuda is null ? frames : frames with { Budget = budget });
        PacketPublisher? packets = null;
        try
        {
            packets = configuration.ToPacketOptions(directory, onEvent, ceilings) is { } options ? PacketPublisher.Create(configuration.Key, options) : null;
            return new CameraRun(publisher, packets, configuration, gpu, onStatus) { Budget = budget, Ceilings = ceilings };
        }
        catch
        {
            packets?.Dispose();
            publisher.Dispose();
            throw;
        }
    }

    /// <summary>Starts the camera's thread.</summary>
    internal void Start()
    {
        IsStarted = true;
        Pump.Start();
    }

    /// <summary>
    /// Ends the streams at once: readers are told and the keys are free. The camera's thread is told to end, which it may do later, when the
    /// C library lets it go; <see cref="TryDispose"/> then gives the memory back.
    /// </summary>
    internal void Stop()
    {
        Pump.Stop(TimeSpan.Zero);
        Publisher.Close();
        Packets?.Close();
    }

    /// <inheritdoc/>
    public bool TryDispose(TimeSpan timeout)
    {
        if (!Pump.Stop(timeout))
        {
            return false;
        }

        Pump.Dispose();
        Publisher.Dispose();
        Packets?.Dispose();
        return true;
    }
}
