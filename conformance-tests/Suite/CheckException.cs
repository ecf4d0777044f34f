namespace CuFrames.Conformance.Suite;

/// <summary>Ends a check with another outcome than passed.</summary>
internal sealed class CheckException(Outcome outcome, string text) : Exception(text)
{
    public Outcome Outcome { get; } = outcome;
}
