namespace CuFrames.Daemon.Internal.Limits;

/// <summary>What the file says about ceilings. Immutable, compared by value.</summary>
/// <param name="Memory">Bytes of main memory of all rings together; 0: a part of what there is; <see cref="long.MaxValue"/>: none.</param>
/// <param name="Descriptors">Descriptors of the daemon; 0: a part of what the kernel allows.</param>
/// <param name="Cameras">Cameras, those that are not enabled included.</param>
internal sealed record LimitsConfiguration(long Memory, int Descriptors, int Cameras)
{
    /// <summary>What holds where nothing is said.</summary>
    internal static LimitsConfiguration Default { get; } = new(0, 0, 1000);
}
