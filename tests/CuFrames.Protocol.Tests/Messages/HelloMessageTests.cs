using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Messages;

public sealed class HelloMessageTests
{
    private static readonly byte[] Range = Tlv.Of(TlvType.VersionRange, 0x00010001u);

    [Fact]
    public void Every_value_survives()
    {
        HelloMessage read = RoundTrip(Samples.Hello);
        Assert.Equal(Samples.Hello.Domains, read.Domains);
        Assert.Equal(Samples.Hello with { Domains = [] }, read with { Domains = [] });
    }

    [Fact]
    public void The_header_carries_the_lowest_version_and_the_correlation_id()
    {
        MessageHeader header = MessageHeader.Read(new HelloMessage { LowestVersion = 2, HighestVersion = 9, IsProbe = true }.Write(new byte[256], 77));
        Assert.Equal((2, MessageType.Hello, 77u), (header.Version, header.Type, header.CorrelationId));
    }

    [Fact]
    public void A_probe_needs_nothing_else()
    {
        HelloMessage read = HelloMessage.Read(Tlv.Join(Range, Tlv.Of(TlvType.Probe)));
        Assert.True(read.IsProbe);
        Assert.Empty(read.Domains);
        HelloMessage written = RoundTrip(new HelloMessage { IsProbe = true, Program = "cuframes ls" });
        Assert.Equal((true, "cuframes ls"), (written.IsProbe, written.Program));
    }

    [Fact]
    public void Fences_and_wakes_have_defaults()
    {
        HelloMessage read = HelloMessage.Read(Tlv.Join(Range, Tlv.Of(TlvType.Delivery, 3u), Tlv.Of(TlvType.Leases, 64u), Tlv.Of(TlvType.Domain, new byte[24])));
        Assert.Equal((Fence.Cpu, Wake.Futex, 0UL, "", false), (read.Fences, read.Wakes, read.Features, read.Program, read.IsProbe));
        Assert.Equal((Delivery.Lossless, 64u), (read.Delivery, read.Leases));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(4u)]
    [InlineData(0xFFFFFFFFu)]
    public void A_delivery_that_does_not_exist_is_refused(uint delivery) => AssertRefused(
        Range, Tlv.Of(TlvType.Delivery, delivery), Tlv.Of(TlvType.Leases, 1u), Tlv.Of(TlvType.Domain, new byte[24]));

    [Theory]
    [InlineData(0u)]
    [InlineData(65u)]
    [InlineData(0x80000001u)]
    public void A_number_of_leases_out_of_range_is_refused(uint leases) => AssertRefused(
        Range, Tlv.Of(TlvType.Delivery, 1u), Tlv.Of(TlvType.Leases, leases), Tlv.Of(TlvType.Domain, new byte[24]));

    [Fact]
    public void A_range_that_is_turned_around_is_refused() => AssertRefused(Tlv.Of(TlvType.VersionRange, 0x00010002u), Tlv.Of(TlvType.Probe));

    [Fact]
    public void An_empty_hello_is_refused() => AssertRefused();

    [Fact]
    public void Domains_may_fill_the_message()
    {
        DomainOffer[] domains = [.. Enumerable.Range(0, 2040).Select(i => new DomainOffer(MemoryDomain.Cuda, (uint)i, new Guid(i, 0, 0, new byte[8])))];
        HelloMessage read = RoundTrip(Samples.Hello with { Domains = domains });
        Assert.Equal(domains, read.Domains);
    }

    [Fact]
    public void Offers_fit_what_they_name()
    {
        Guid device = Samples.Device;
        DomainOffer offer = new(MemoryDomain.Cuda, 1u << (int)HandleKind.CudaVmm, device);
        Assert.True(offer.Fits(MemoryDomain.Cuda, HandleKind.CudaVmm, device));
        Assert.False(offer.Fits(MemoryDomain.Host, HandleKind.CudaVmm, device));
        Assert.False(offer.Fits(MemoryDomain.Cuda, HandleKind.CudaIpc, device));
        Assert.False(offer.Fits(MemoryDomain.Cuda, HandleKind.CudaVmm, Guid.Empty));
        Assert.True(DomainOffer.Host.Fits(MemoryDomain.Host, HandleKind.HostMemfd, Guid.Empty));
    }

    private static HelloMessage RoundTrip(HelloMessage hello) => HelloMessage.Read(hello.Write(new byte[Wire.MaxMessageSize])[MessageHeaderLayout.Size..]);

    private static void AssertRefused(params byte[][] tlvs) =>
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => HelloMessage.Read(Tlv.Join(tlvs))).Code);
}
