namespace CuFrames.Conformance.Spec;

/// <summary>Table 2.7, spelled as in the document.</summary>
internal enum MessageType : byte
{
    HELLO = 1,
    WELCOME = 2,
    REFUSE = 3,
    SEGMENT = 4,
    SEGMENT_READY = 5,
    RETIRE = 6,
    RETIRED = 7,
    NOTICE = 8,
    DOORBELL = 9,
    BYE = 10,
    EVENT = 11,
}
