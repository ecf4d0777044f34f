using CuFrames.Interop;

namespace CuFrames.Client.Internal;

/// <summary>Something that the process's <see cref="ControlLoop"/> watches. Its methods run on the loop's thread.</summary>
internal abstract class LoopSource
{
    /// <summary>The descriptor is ready.</summary>
    public abstract void OnReady(IoEvents events);

    /// <summary>Comes about every 50 ms to those who asked for it.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    public virtual void OnTick(long now)
    {
    }

    /// <summary>A method threw what nobody expected. The loop goes on; so should the source, or it leaves the loop.</summary>
    public abstract void OnError(Exception error);
}
