namespace CuFrames.Fuzz;

/// <summary>A piece of the product that reads a peer's bytes. An instance belongs to one thread.</summary>
internal abstract class FuzzTarget : IDisposable
{
    public abstract string Name { get; }

    /// <summary>Inputs to begin with.</summary>
    public abstract IEnumerable<byte[]> Seeds(TestVectors vectors);

    /// <summary>Changes the input once.</summary>
    /// <param name="input">The input.</param>
    /// <param name="random">The lane's generator.</param>
    /// <param name="other">Another input of the corpus, to take pieces from.</param>
    public abstract void Mutate(InputBuffer input, FuzzRandom random, ReadOnlySpan<byte> other);

    /// <summary>Lets the code under test read the input. Any exception that leaves this method is a bug found.</summary>
    public abstract void Run(ReadOnlySpan<byte> input, OutcomeMap outcomes);

    public virtual void Dispose()
    {
    }
}
