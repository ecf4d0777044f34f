using CuFrames.Conformance.Spec;

namespace CuFrames.Conformance.Wire;

/// <summary>Bytes of a peer break the document.</summary>
internal sealed class WireException(ErrorCode code, string paragraph, string text) : Exception(text)
{
    /// <summary>The code that the document asks for.</summary>
    public ErrorCode Code { get; } = code;

    /// <summary>The paragraph that is broken.</summary>
    public string Paragraph { get; } = paragraph;
}
