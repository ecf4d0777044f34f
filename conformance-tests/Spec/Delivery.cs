namespace CuFrames.Conformance.Spec;

/// <summary>Table 3.4, spelled as in the document.</summary>
internal enum Delivery : uint
{
    NEWEST = 1,
    IN_ORDER = 2,
    LOSSLESS = 3,
}
