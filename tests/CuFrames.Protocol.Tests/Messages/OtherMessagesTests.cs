using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Messages;

public sealed class OtherMessagesTests
{
    public static TheoryData<ErrorCode> Codes => [.. Enum.GetValues<ErrorCode>()];

    [Theory]
    [MemberData(nameof(Codes))]
    public void Refuse_and_bye_carry_code_and_text(ErrorCode code)
    {
        RefuseMessage message = new(code, "Do this.");
        ReadOnlySpan<byte> refuse = message.WriteRefuse(new byte[256], 9, version: 3);
        Assert.Equal(new MessageHeader(3, MessageType.Refuse, (uint)refuse.Length - 16, 9), MessageHeader.Read(refuse));
        Assert.Equal(message, RefuseMessage.ReadRefuse(refuse[16..]));
        Assert.Equal(code == ErrorCode.VersionMismatch, Tlv.Split(refuse[16..]).Any(tlv => Tlv.TypeOf(tlv) == TlvType.VersionRange));

        ReadOnlySpan<byte> bye = message.WriteBye(new byte[256]);
        Assert.Equal(new MessageHeader(Wire.Version, MessageType.Bye, (uint)bye.Length - 16, 0), MessageHeader.Read(bye));
        Assert.Equal(message, RefuseMessage.Read(bye[16..]));
    }

    [Fact]
    public void A_bye_may_be_empty()
    {
        Assert.Equal(16, new RefuseMessage(ErrorCode.None, "").WriteBye(new byte[16]).Length);
        Assert.Equal(new RefuseMessage(ErrorCode.None, ""), RefuseMessage.Read([]));
    }

    [Fact]
    public void A_receiver_accepts_unknown_codes() => Assert.Equal((ErrorCode)200, RefuseMessage.Read(Tlv.Of(TlvType.ErrorCode, 200u)).Code);

    [Fact]
    public void A_long_text_is_cut_to_what_the_peer_accepts()
    {
        ReadOnlySpan<byte> bye = new RefuseMessage(ErrorCode.SourceFailed, new string('ä', 1000)).WriteBye(new byte[2048]);
        Assert.Equal(new string('ä', 512), RefuseMessage.Read(bye[16..]).Text);
    }

    [Theory]
    [InlineData(MessageType.SegmentReady)]
    [InlineData(MessageType.Retire)]
    [InlineData(MessageType.Retired)]
    public void Segment_ids_survive(MessageType type)
    {
        ReadOnlySpan<byte> message = SegmentIdMessage.Write(new byte[32], type, uint.MaxValue);
        Assert.Equal(new MessageHeader(Wire.Version, type, 16, 0), MessageHeader.Read(message));
        Assert.Equal(uint.MaxValue, SegmentIdMessage.Read(message[16..]));
    }

    [Fact]
    public void Segment_zero_is_refused() => Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => SegmentIdMessage.Read(Tlv.Of(TlvType.SegmentId, 0u))).Code);

    [Theory]
    [InlineData(NoticeKind.SourceLost, ErrorCode.SourceFailed, "no answer")]
    [InlineData(NoticeKind.SourceBack, ErrorCode.None, "")]
    [InlineData(NoticeKind.Evicted, ErrorCode.LeaseTimeout, "held too long")]
    [InlineData((NoticeKind)99, ErrorCode.None, "a later one")]
    public void Notices_survive(NoticeKind kind, ErrorCode code, string text)
    {
        NoticeMessage message = new(kind, code, text);
        Assert.Equal(message, NoticeMessage.Read(message.Write(new byte[256])[16..]));
    }

    [Fact]
    public void A_notice_of_kind_zero_is_refused() => Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => NoticeMessage.Read(Tlv.Of(TlvType.NoticeKind, 0u))).Code);

    [Fact]
    public void A_segment_survives()
    {
        SegmentMessage read = SegmentMessage.Read(Samples.Segment.Write(new byte[256])[16..]);
        Assert.Equal(Samples.Segment.Description, read.Description);
        Assert.Equal(Samples.Segment.CudaIpcHandle.ToArray(), read.CudaIpcHandle.ToArray());

        SegmentMessage host = new(new SegmentDescription(1, MemoryDomain.Host, HandleKind.HostMemfd, 1, 4096, Guid.Empty, 1), default);
        read = SegmentMessage.Read(host.Write(new byte[256])[16..]);
        Assert.Equal(host.Description, read.Description);
        Assert.True(read.CudaIpcHandle.IsEmpty);
    }

    [Theory]
    [InlineData(0UL, ErrorCode.SegmentInvalid)]
    [InlineData((1UL << 40) + 1, ErrorCode.SegmentInvalid)]
    [InlineData(ulong.MaxValue, ErrorCode.SegmentInvalid)]
    public void A_segment_of_an_impossible_size_is_refused(ulong size, ErrorCode code) => Assert.Equal(code, Refusal.Of(() =>
        ReadSegment(new SegmentDescription(1, MemoryDomain.Host, HandleKind.HostMemfd, 1, size, Guid.Empty, 1))).Code);

    [Fact]
    public void A_segment_without_number_is_refused() => Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() =>
        ReadSegment(new SegmentDescription(0, MemoryDomain.Host, HandleKind.HostMemfd, 1, 4096, Guid.Empty, 1))).Code);

    [Fact]
    public void A_cuda_ipc_segment_without_handle_is_refused() => Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() =>
        ReadSegment(new SegmentDescription(1, MemoryDomain.Cuda, HandleKind.CudaIpc, 1, 4096, Samples.Device, 1))).Code);

    [Fact]
    public void An_event_survives()
    {
        byte[] handle = [.. Enumerable.Range(1, Wire.CudaIpcHandleSize).Select(value => (byte)value)];
        EventMessage read = EventMessage.Read(new EventMessage(63, handle).Write(new byte[256])[16..]);
        Assert.Equal(63, read.Slot);
        Assert.Equal(handle, read.Handle.ToArray());
    }

    [Fact]
    public void An_event_of_a_slot_that_does_not_exist_is_refused() => Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() =>
        EventMessage.Read(new EventMessage(64, new byte[Wire.CudaIpcHandleSize]).Write(new byte[256])[16..])).Code);

    private static SegmentMessage ReadSegment(SegmentDescription description) => SegmentMessage.Read(new SegmentMessage(description, default).Write(new byte[256])[16..]);
}
