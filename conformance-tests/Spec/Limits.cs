namespace CuFrames.Conformance.Spec;

/// <summary>Single numbers of the document; the comment names the paragraph.</summary>
internal static class Limits
{
    public const byte Version = 1; // 2.9
    public const uint MessageMagic = 0x52465543; // 2.5
    public const int MaxMessageSize = 65_536; // 2.2
    public const int MaxDescriptors = 16; // 2.2
    public const int HeaderSize = 16; // 2.5
    public const int TlvHeadSize = 8; // 2.6
    public const ushort MustUnderstand = 0x8000; // 2.6
    public const int MaxLeases = 64; // 2.8
    public const int HandshakeMilliseconds = 2_000; // 3.1
    public const int WelcomeMilliseconds = 5_000; // 13.2
    public const ulong MaxSegmentSize = 1UL << 40; // 6.3
    public const ulong EndOfSequences = 1UL << 56; // 4.2

    public const uint DomainHost = 1; // 6.1
    public const uint DomainCuda = 2; // 6.1
    public const uint HandleHostMemfd = 1; // 6.2
    public const uint HandleCudaVmm = 2; // 6.2
    public const uint HandleCudaIpc = 3; // 6.2

    public const int CudaEventSize = 72; // 7.2
    public const uint FenceCpu = 1; // 7.1
    public const uint WakeFutex = 1; // 8.1
    public const uint WakeDoorbell = 2; // 8.1

    public const uint StateStarting = 0; // 4.4
    public const uint StateLive = 1; // 4.4
    public const uint StateEnded = 3; // 4.4
}
