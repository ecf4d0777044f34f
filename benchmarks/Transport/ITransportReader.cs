namespace CuFrames.Benchmarks.Transport;

/// <summary>Takes the next frame.</summary>
internal interface ITransportReader : IDisposable
{
    /// <returns>The frame's number.</returns>
    /// <param name="touch">Whether one byte of each cache line is read.</param>
    /// <param name="sum">Sum of these bytes.</param>
    long Read(bool touch, out long sum);
}
