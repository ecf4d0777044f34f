namespace CuFrames.Conformance.Spec;

/// <summary>Table 2.8, spelled as in the document.</summary>
internal enum TlvType : ushort
{
    VERSION_RANGE = 1,
    FEATURES = 2,
    PROGRAM = 3,
    DELIVERY = 4,
    LEASES = 5,
    DOMAIN = 6,
    FENCES = 7,
    WAKES = 8,
    PROBE = 9,
    VERSION = 10,
    EPOCH = 11,
    STREAM_KEY = 12,
    STREAM_DESCRIPTION = 13,
    SOURCE = 14,
    SUBSCRIBER_ID = 15,
    ERROR_CODE = 16,
    ERROR_TEXT = 17,
    SEGMENT = 18,
    CUDA_IPC_HANDLE = 19,
    SEGMENT_ID = 20,
    NOTICE_KIND = 21,
    STATE_TEXT = 22,
    CUDA_EVENT = 23,
    PACKETS = 24,
    PACKET_STREAM = 25,
    TRACK = 26,
    START = 27,
}
