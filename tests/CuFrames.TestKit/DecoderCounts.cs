namespace CuFrames.TestKit;

/// <summary>What <see cref="DecoderAudit"/> counted since the process began.</summary>
/// <param name="Opened">Decoders that were opened.</param>
/// <param name="Open">Decoders that are open now.</param>
/// <param name="Packets">Packets that they were given.</param>
/// <param name="Pictures">Pictures that were taken from them.</param>
public readonly record struct DecoderCounts(long Opened, long Open, long Packets, long Pictures);
