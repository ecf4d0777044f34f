namespace CuFrames.Benchmarks.Transport;

/// <summary>Gives a frame that lies in the producer's memory to all readers. None is left out.</summary>
internal unsafe interface ITransportWriter : IDisposable
{
    void Write(byte* frame);
}
