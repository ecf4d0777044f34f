namespace CuFrames.Conformance.Suite;

/// <summary>One check of an implementation.</summary>
/// <param name="Id">Paragraph and a word: <c>6.6-lease-protects</c>.</param>
/// <param name="Title">What an implementation must do, as the end of "it …".</param>
/// <param name="Run">Returns when it does, throws <see cref="CheckException"/> or <see cref="Wire.WireException"/> when not.</param>
/// <param name="Background">It mostly waits and disturbs nothing: it runs beside the others.</param>
internal sealed record Check<TContext>(string Id, string Title, Action<TContext> Run, bool Background = false)
{
    /// <summary>The paragraph of docs/protocol.md.</summary>
    public string Paragraph => Id[..Id.IndexOf('-', StringComparison.Ordinal)];
}
