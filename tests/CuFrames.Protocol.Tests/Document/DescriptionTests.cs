using System.Globalization;
using System.Reflection;
using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Document;

/// <summary>The layouts that travel in TLVs: what lies at the document's offset must come out of the property of that name, and go back there.</summary>
public sealed class DescriptionTests
{
    private static readonly ProtocolDocument Text = ProtocolDocument.Current;

    [Fact]
    public void StreamDescription()
    {
        byte[] value = Fill("StreamDescription");
        WelcomeMessage welcome = WelcomeMessage.Read(Tlv.Join(
            Tlv.Of(TlvType.Version, 1u), Tlv.Of(TlvType.Features, 0UL), Tlv.Of(TlvType.Epoch, 1UL), Tlv.Of(TlvType.StreamKey, "a"), Tlv.Of(TlvType.StreamDescription, value)));
        Compare("StreamDescription", value, welcome.Description);
        Assert.Equal(value, WrittenValue(welcome.Write(new byte[1024], 1), TlvType.StreamDescription));
    }

    [Fact]
    public void SegmentDescription()
    {
        byte[] value = Fill("SegmentDescription");
        SegmentMessage message = SegmentMessage.Read(Tlv.Join(Tlv.Of(TlvType.Segment, value), Tlv.Of(TlvType.CudaIpcHandle, new byte[64])));
        Compare("SegmentDescription", value, message.Description);
        Assert.Equal(value, WrittenValue(message.Write(new byte[1024]), TlvType.Segment));
    }

    [Fact]
    public void DomainOffer()
    {
        byte[] value = Fill("DomainOffer");
        HelloMessage hello = HelloMessage.Read(Tlv.Join(
            Tlv.Of(TlvType.VersionRange, 0x00010001u), Tlv.Of(TlvType.Delivery, 1u), Tlv.Of(TlvType.Leases, 1u), Tlv.Of(TlvType.Domain, value)));
        Compare("DomainOffer", value, Assert.Single(hello.Domains));
        Assert.Equal(value, WrittenValue(hello.Write(new byte[1024]), TlvType.Domain));
    }

    private static byte[] WrittenValue(ReadOnlySpan<byte> message, TlvType type) =>
        Tlv.ValueOf(Tlv.Split(message[MessageHeaderLayout.Size..]).Single(tlv => Tlv.TypeOf(tlv) == type));

    /// <summary>Each field holds its own number, from 1, so that two that change places are seen. No number breaks a limit.</summary>
    private static byte[] Fill(string layout)
    {
        DocumentTable table = Text.Layout(layout);
        byte[] value = new byte[table.Size];
        byte number = 1;
        foreach (DocumentField field in ProtocolDocument.Fields(table).Where(field => field.Name != "reserved"))
        {
            if (field.Type == "bytes")
            {
                for (int i = 0; i < field.Size; i++)
                {
                    value[field.Offset + i] = (byte)(100 + i);
                }
            }
            else
            {
                value[field.Offset] = number++;
            }
        }

        return value;
    }

    private static void Compare(string layout, byte[] value, object description)
    {
        int compared = 0;
        foreach (DocumentField field in ProtocolDocument.Fields(Text.Layout(layout)).Where(field => field.Name != "reserved"))
        {
            object found = FieldNames.ValueOf(description, field.Name);
            if (field.Type == "bytes")
            {
                Assert.Equal(value.AsSpan(field.Offset, field.Size).ToArray(), ((Guid)found).ToByteArray(bigEndian: true));
            }
            else
            {
                Assert.Equal(value[field.Offset], Convert.ToUInt64(found, CultureInfo.InvariantCulture));
            }

            compared++;
        }

        Assert.Equal(description.GetType().GetProperties(BindingFlags.Instance | BindingFlags.Public).Length, compared);
    }
}
