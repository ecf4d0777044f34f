namespace CuFrames.Protocol;

/// <summary>Which frames a take gives (docs/protocol.md 3.4).</summary>
public enum Delivery : uint
{
    /// <summary>The newest frame; older ones are skipped and counted.</summary>
    Newest = 1,

    /// <summary>The oldest frame that is still there.</summary>
    InOrder = 2,

    /// <summary>As <see cref="InOrder"/>, and the publisher waits for the reader, up to a bound.</summary>
    Lossless = 3,
}
