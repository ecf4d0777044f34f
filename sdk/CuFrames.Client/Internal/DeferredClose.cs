using CuFrames.Interop;

namespace CuFrames.Client.Internal;

/// <summary>Keeps a closed connection's memory mapped until the GPU is done with the frames that were released to it.</summary>
internal sealed class DeferredClose : LoopSource
{
    private readonly StreamConnection _connection;

    public DeferredClose(StreamConnection connection)
    {
        _connection = connection;
        ControlLoop.Shared.AddTicker(this);
    }

    public override void OnReady(IoEvents events)
    {
    }

    public override void OnTick(long now)
    {
        try
        {
            _connection.FinishReleases();
        }
        catch (CudaException)
        {
            // The context is broken: its work has ended. Whoever uses the context next is told by the driver.
            _connection.AbandonReleases();
        }

        // Below zero: the last one out has unmapped everything.
        if (_connection.HeldFrames < 0)
        {
            ControlLoop.Shared.RemoveTicker(this);
        }
    }

    public override void OnError(Exception error)
    {
        // What is left mapped goes with the process.
        ControlLoop.Shared.RemoveTicker(this);
    }
}
