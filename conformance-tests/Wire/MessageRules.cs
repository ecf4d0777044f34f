using CuFrames.Conformance.Spec;

namespace CuFrames.Conformance.Wire;

/// <summary>Which TLVs each message knows and carries (2.9, 3.2, 3.3, 3.5, 6.3, 6.10, 7.2, 9.1, 9.2) and how long each is (2.8).</summary>
internal static class MessageRules
{
    private static readonly Dictionary<MessageType, (string Paragraph, TlvType[] Required, TlvType[] Optional)> Messages = new()
    {
        [MessageType.HELLO] = ("3.2", [TlvType.VERSION_RANGE],
            [TlvType.FEATURES, TlvType.PROGRAM, TlvType.DELIVERY, TlvType.LEASES, TlvType.DOMAIN, TlvType.FENCES, TlvType.WAKES,
                TlvType.PROBE]),
        [MessageType.WELCOME] = ("3.3",
            [TlvType.VERSION, TlvType.FEATURES, TlvType.EPOCH, TlvType.STREAM_KEY, TlvType.STREAM_DESCRIPTION],
            [TlvType.PROGRAM, TlvType.SOURCE, TlvType.STATE_TEXT, TlvType.SUBSCRIBER_ID, TlvType.DELIVERY, TlvType.LEASES, TlvType.FENCES,
                TlvType.WAKES, TlvType.START]),
        [MessageType.REFUSE] = ("3.5", [TlvType.ERROR_CODE, TlvType.ERROR_TEXT], [TlvType.VERSION_RANGE]),
        [MessageType.SEGMENT] = ("6.3", [TlvType.SEGMENT], [TlvType.CUDA_IPC_HANDLE]),
        [MessageType.SEGMENT_READY] = ("6.3", [TlvType.SEGMENT_ID], []),
        [MessageType.RETIRE] = ("6.10", [TlvType.SEGMENT_ID], []),
        [MessageType.RETIRED] = ("6.10", [TlvType.SEGMENT_ID], []),
        [MessageType.NOTICE] = ("9.1", [TlvType.NOTICE_KIND], [TlvType.ERROR_CODE, TlvType.ERROR_TEXT]),
        [MessageType.DOORBELL] = ("8.3", [], []),
        [MessageType.EVENT] = ("7.2", [TlvType.CUDA_EVENT], []),
        [MessageType.BYE] = ("9.2", [], [TlvType.ERROR_CODE, TlvType.ERROR_TEXT]),
    };

    // 14.2 and 14.3: what is different where packets are offered.
    private static readonly Dictionary<MessageType, (string Paragraph, TlvType[] Required, TlvType[] Optional)> PacketMessages = new()
    {
        [MessageType.HELLO] = ("14.2", [TlvType.VERSION_RANGE, TlvType.PACKETS],
            [TlvType.FEATURES, TlvType.PROGRAM, TlvType.DELIVERY, TlvType.LEASES, TlvType.DOMAIN, TlvType.FENCES, TlvType.WAKES, TlvType.PROBE]),
        [MessageType.WELCOME] = ("14.3",
            [TlvType.PACKETS, TlvType.VERSION, TlvType.FEATURES, TlvType.EPOCH, TlvType.STREAM_KEY, TlvType.PACKET_STREAM],
            [TlvType.TRACK, TlvType.PROGRAM, TlvType.SOURCE, TlvType.STATE_TEXT, TlvType.SUBSCRIBER_ID, TlvType.WAKES]),
    };

    private static readonly TlvType[] NotToAProbeOfPackets = [TlvType.SUBSCRIBER_ID, TlvType.WAKES];

    private static readonly TlvType[] NotToAProbe =
        [TlvType.SUBSCRIBER_ID, TlvType.DELIVERY, TlvType.LEASES, TlvType.FENCES, TlvType.WAKES];

    private static readonly TlvType[] NotFromAProbe = [TlvType.DELIVERY, TlvType.LEASES, TlvType.DOMAIN];

    /// <summary>The paragraph that says what a message carries.</summary>
    public static string Paragraph(MessageType type, bool isForPackets) => RulesOf(type, isForPackets).Paragraph;

    public static bool Knows(MessageType message, TlvType tlv, bool isForPackets) =>
        RulesOf(message, isForPackets).Required.Contains(tlv) || RulesOf(message, isForPackets).Optional.Contains(tlv);

    /// <summary>Whether a TLV may come several times in a message.</summary>
    public static bool Repeats(TlvType tlv) => tlv is TlvType.DOMAIN or TlvType.TRACK;

    public static IEnumerable<TlvType> Required(Message message) => message.Type switch
    {
        MessageType.HELLO when message.IsForPackets => PacketMessages[message.Type].Required,
        MessageType.WELCOME when message.IsForPackets && message.DescriptorCount > 0 => PacketMessages[message.Type].Required.Concat(NotToAProbeOfPackets),
        MessageType.WELCOME when message.IsForPackets => PacketMessages[message.Type].Required,
        MessageType.HELLO when !message.Has(TlvType.PROBE) => Messages[message.Type].Required.Concat(NotFromAProbe),

        // Without descriptors it can only be the answer to a probe; whoever is answered checks which one it is.
        MessageType.WELCOME when message.DescriptorCount > 0 => Messages[message.Type].Required.Concat(NotToAProbe),
        _ => Messages[message.Type].Required,
    };

    public static int SmallestValue(TlvType tlv) => tlv switch
    {
        TlvType.PROGRAM or TlvType.STREAM_KEY or TlvType.SOURCE or TlvType.ERROR_TEXT or TlvType.STATE_TEXT or TlvType.PROBE or TlvType.PACKETS => 0,
        TlvType.FEATURES or TlvType.EPOCH or TlvType.SUBSCRIBER_ID or TlvType.START => 8,
        TlvType.DOMAIN => Layout.DomainOffer.Size,
        TlvType.STREAM_DESCRIPTION => Layout.StreamDescription.Size,
        TlvType.SEGMENT => Layout.SegmentDescription.Size,
        TlvType.PACKET_STREAM => PacketLayout.StreamDescriptionSize,
        TlvType.TRACK => PacketLayout.TrackDescriptionSize,
        TlvType.CUDA_IPC_HANDLE => 64,
        TlvType.CUDA_EVENT => Limits.CudaEventSize,
        _ => 4,
    };

    /// <summary>Most bytes of a string; null for what is no string.</summary>
    public static int? LongestText(TlvType tlv) => tlv switch
    {
        TlvType.PROGRAM => 64,
        TlvType.STREAM_KEY => 129,
        TlvType.SOURCE or TlvType.ERROR_TEXT or TlvType.STATE_TEXT => 1_024,
        _ => null,
    };

    private static (string Paragraph, TlvType[] Required, TlvType[] Optional) RulesOf(MessageType type, bool isForPackets) =>
        isForPackets && PacketMessages.TryGetValue(type, out (string, TlvType[], TlvType[]) rules) ? rules : Messages[type];
}
