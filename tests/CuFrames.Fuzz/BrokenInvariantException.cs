namespace CuFrames.Fuzz;

/// <summary>The code under test did what it must never do.</summary>
internal sealed class BrokenInvariantException(string message) : Exception(message)
{
    public static void Require(bool isSo, string invariant)
    {
        if (!isSo)
        {
            throw new BrokenInvariantException(invariant);
        }
    }
}
