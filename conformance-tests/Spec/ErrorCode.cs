namespace CuFrames.Conformance.Spec;

/// <summary>Table 12, spelled as in the document: the codes that travel in messages.</summary>
internal enum ErrorCode : uint
{
    NONE = 0,
    PROTOCOL_ERROR = 1,
    VERSION_MISMATCH = 2,
    UNSUPPORTED_TLV = 3,
    DESCRIPTOR_COUNT = 4,
    ACCESS_DENIED = 8,
    TOO_MANY_SUBSCRIBERS = 9,
    DELIVERY_NOT_GRANTED = 10,
    DOMAIN_NOT_MAPPABLE = 11,
    HANDSHAKE_TIMEOUT = 12,
    LEASE_TIMEOUT = 13,
    LEASE_QUOTA_EXCEEDED = 14,
    PAGE_INVALID = 15,
    LOSSLESS_TIMEOUT = 16,
    SOCKET_NOT_READ = 17,
    EVICTED_BY_OPERATOR = 18,
    SHUTTING_DOWN = 19,
    OUT_OF_RESOURCES = 20,
    SEGMENT_INVALID = 21,
    CONTROL_BLOCK_INVALID = 22,
    FRAME_INVALID = 23,
    DISCONNECTED = 27,
    PACKET_INVALID = 35,
    PACKET_LOST = 36,
    PACKET_TOO_LARGE = 37,
}
