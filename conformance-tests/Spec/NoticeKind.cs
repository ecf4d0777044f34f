namespace CuFrames.Conformance.Spec;

/// <summary>Table 9.1, spelled as in the document.</summary>
internal enum NoticeKind : uint
{
    SOURCE_LOST = 1,
    SOURCE_BACK = 2,
    EVICTED = 3,
    SHUTTING_DOWN = 4,
}
