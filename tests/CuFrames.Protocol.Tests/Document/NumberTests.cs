using System.Text.RegularExpressions;

namespace CuFrames.Protocol.Tests.Document;

/// <summary>Numbers that stand in the sentences of docs/protocol.md against the constants of the code.</summary>
public sealed class NumberTests
{
    private static readonly ProtocolDocument Text = ProtocolDocument.Current;

    [Fact]
    public void Names_have_the_documented_alphabet_and_length()
    {
        Match match = Regex.Match(Text.Paragraphs["1.1"], @"`(\[a-z0-9\]\[a-z0-9\._-\]\{0,(\d+)\})`");
        Assert.True(match.Success, "Paragraph 1.1 no longer holds the pattern of a name.");
        Assert.Equal((ulong)StreamKey.MaxNameLength, ProtocolDocument.Number(match.Groups[2].Value) + 1);

        // Every character of the basic plane, first and later in a name, against the document's own pattern.
        Regex pattern = new($@"\A{match.Groups[1].Value}\z", RegexOptions.CultureInvariant);
        for (int c = 0; c <= char.MaxValue; c++)
        {
            string alone = ((char)c).ToString();
            Assert.Equal(pattern.IsMatch(alone), StreamKey.IsValid(alone));
            if (c != '@')
            {
                Assert.Equal(pattern.IsMatch("a" + alone), StreamKey.IsValid("a" + alone));
            }
        }
    }

    [Fact]
    public void Limits_of_a_message() => Assert.Equal([Wire.MaxMessageSize, (ulong)Wire.MaxDescriptors],
        Text.Numbers("2.2", @"at most ([\d,]+) bytes long, header included, and carries at most (\d+) descriptors"));

    [Fact]
    public void Payload_length_excludes_the_header() => Assert.Equal([(ulong)MessageHeaderLayout.Size],
        Text.Numbers("2.5", @"MUST be the packet's length less (\d+)"));

    [Fact]
    public void Head_and_padding_of_a_tlv()
    {
        ulong[] numbers = Text.Numbers("2.6", @"Each is an (\d+)-byte head, the value, and zero to seven bytes of padding up to the next multiple of (\d+)");
        Assert.Equal((ulong)TlvHeaderLayout.Size, numbers[0]);
        Assert.Equal([15, Wire.TlvMustUnderstand], Text.Numbers("2.6", @"bit (\d+) \((0x[0-9A-F]+)\): must-understand"));
        Assert.Equal(Wire.TlvMustUnderstand, 1 << 15);

        byte[] buffer = new byte[256];
        for (int length = 0; length < 40; length++)
        {
            TlvWriter writer = new(buffer, MessageType.Bye);
            writer.Add((TlvType)999, length);
            ulong padded = ((ulong)length + numbers[1] - 1) / numbers[1] * numbers[1];
            Assert.Equal((ulong)(MessageHeaderLayout.Size + TlvHeaderLayout.Size) + padded, (ulong)writer.Finish().Length);
        }
    }

    [Fact]
    public void Limits_of_tlv_values()
    {
        Dictionary<string, string> layouts = Text.Enum("TlvType").Rows.ToDictionary(row => row["name"], row => row["value's layout"]);
        Assert.StartsWith($"string, at most {Wire.MaxProgramLength} bytes", layouts["PROGRAM"], StringComparison.Ordinal);
        Assert.StartsWith($"string, at most {Wire.MaxTextLength:N0} bytes", layouts["SOURCE"], StringComparison.Ordinal);
        Assert.StartsWith($"string, at most {Wire.MaxTextLength:N0} bytes", layouts["ERROR_TEXT"], StringComparison.Ordinal);
        Assert.StartsWith($"string, at most {Wire.MaxTextLength:N0} bytes", layouts["STATE_TEXT"], StringComparison.Ordinal);
        Assert.StartsWith($"{Wire.CudaIpcHandleSize} bytes", layouts["CUDA_IPC_HANDLE"], StringComparison.Ordinal);
        Assert.EndsWith($"1 to {ControlBlockLayout.SlotCapacity}", layouts["LEASES"], StringComparison.Ordinal);
    }

    [Fact]
    public void Version() => Assert.Equal([(ulong)Wire.Version], Text.Numbers("2.9", @"This text is version (\d+)"));

    [Fact]
    public void Size_of_the_control_block() => Assert.Equal([(ulong)ControlBlockLayout.Size],
        Text.Numbers("4.1", @"the size \(([\d,]+) bytes at least\)"));

    [Fact]
    public void Formula_of_the_index()
    {
        ulong limit = Text.Numbers("4.2", @"stay below (2\^\d+)")[0];
        Assert.Equal(ControlBlockLayout.SequenceLimit, limit);
        ulong mask = Text.Numbers("4.2", @"is number `sequence & (\d+)`")[0];
        int shift = (int)Text.Numbers("4.2", @"It holds `sequence << (\d+) \| slot`")[0];
        Assert.Equal([mask, (ulong)shift], Text.Numbers("6.5", @"`index\[sequence & (\d+)\] := sequence << (\d+) \| slot`"));
        Assert.Equal([mask], Text.Numbers("6.6", @"is `head - (\d+)`"));
        Assert.Equal((ulong)ControlBlockLayout.IndexCapacity - 1, mask);

        // The largest sequence and the largest slot share an entry without a common bit.
        Assert.True((limit - 1) << shift >> shift == limit - 1);
        Assert.True(ControlBlockLayout.SlotCapacity <= 1 << shift);
        DocumentField index = ProtocolDocument.Fields(Text.Layout("ControlBlock")).Single(field => field.Name == "index");
        foreach (ulong sequence in (ulong[])[1, 2, 126, 127, 128, 129, 255, 256, 1UL << 31, 1UL << 32, limit - 2, limit - 1])
        {
            Assert.Equal(index.Offset + ((long)(sequence & mask) * 8), ControlBlockLayout.IndexEntryOffset(sequence));
        }
    }

    [Fact]
    public void Offsets_of_slots_and_leases()
    {
        DocumentField slots = ProtocolDocument.Fields(Text.Layout("ControlBlock")).Single(field => field.Name == "slots");
        DocumentField leases = ProtocolDocument.Fields(Text.Layout("SubscriberPage")).Single(field => field.Name == "leases");
        for (int slot = 0; slot < ControlBlockLayout.SlotCapacity; slot++)
        {
            Assert.Equal(slots.Offset + (slot * Text.Layout("Slot").Size), ControlBlockLayout.SlotOffset(slot));
            Assert.Equal(leases.Offset + (slot * 8), SubscriberPageLayout.LeaseOffset(slot));
        }

        Assert.Equal(slots.Offset + slots.Size, ControlBlockLayout.SlotOffset(ControlBlockLayout.SlotCapacity - 1) + SlotLayout.Size);
        Assert.Equal(leases.Offset + leases.Size, SubscriberPageLayout.LeaseOffset(ControlBlockLayout.SlotCapacity - 1) + 8);
    }

    [Fact]
    public void Size_of_the_subscribers_page() => Assert.Equal([(ulong)SubscriberPageLayout.FileSize],
        Text.Numbers("5.1", @"One memfd of ([\d,]+) bytes for each subscriber"));

    [Fact]
    public void Bit_of_a_pending_event()
    {
        Assert.Equal([63], Text.Numbers("5.2", @"\(bit (\d+) apart"));
        Assert.Equal([63], Text.Numbers("7.1", @"sets bit (\d+) of the lease word"));
        Assert.Equal(SubscriberPageLayout.EventPending, 1UL << 63);
    }

    [Fact]
    public void Unknown_pts()
    {
        DocumentField pts = ProtocolDocument.Fields(Text.Layout("FrameMeta")).Single(field => field.Name == "pts");
        Assert.EndsWith("-2^63: unknown", pts.Meaning, StringComparison.Ordinal);
        Assert.Equal(FrameMetadata.UnknownPts, -Math.Pow(2, 63));
    }

    [Fact]
    public void Limits_of_a_picture()
    {
        Assert.Equal([(ulong)Wire.MaxDimension], Text.Numbers("4.8", @"visible columns, 1 to ([\d,]+)"));
        Assert.Equal([(ulong)Wire.MaxDimension], Text.Numbers("4.8", @"visible rows, 1 to ([\d,]+)"));
        Assert.Equal([(ulong)Wire.PlaneAlignment], Text.Numbers("4.9", @"Offsets and pitches are multiples of (\d+)"));
    }

    [Fact]
    public void Limits_of_a_description()
    {
        Assert.Equal([(ulong)Wire.MaxDimension], Text.Numbers("3.7", @"visible columns, at most ([\d,]+)"));
        Assert.Equal([(ulong)Wire.MaxDimension], Text.Numbers("3.7", @"visible rows, at most ([\d,]+)"));
        Assert.Equal([(ulong)ControlBlockLayout.SlotCapacity], Text.Numbers("3.7", @"slots in use, at most (\d+)"));
        Assert.Equal([(ulong)ControlBlockLayout.SlotCapacity], Text.Numbers("3.7", @"limit of growth, at most (\d+)"));
        Assert.Equal([(ulong)int.MaxValue + 1], Text.Numbers("3.7", @"probes not counted; below (2\^\d+)"));
    }

    [Fact]
    public void Size_of_a_segment() => Assert.Equal([Wire.MaxSegmentSize], Text.Numbers("6.3", @"bytes; at most (2\^\d+)"));

    [Fact]
    public void Paragraphs_are_numbered_without_a_gap()
    {
        int section = 0, paragraph = 0;
        foreach (string number in Text.Paragraphs.Keys)
        {
            string[] parts = number.Split('.');
            int major = (int)ProtocolDocument.Number(parts[0]);
            if (parts.Length == 1)
            {
                Assert.Equal(section + 1, major);
                (section, paragraph) = (major, 0);
                continue;
            }

            Assert.Equal($"{section}.{paragraph + 1}", number);
            paragraph++;
        }

        Assert.True(section >= 13, $"Only {section} sections were found.");
    }

    /// <summary>"table 6.1" must be a paragraph that holds a table, and 4.7 a sentence that lists values.</summary>
    [Fact]
    public void References_lead_to_tables() => Assert.All(Regex.Matches(Text.Text, @"table (\d+(?:\.\d+)?)"), reference =>
    {
        string number = reference.Groups[1].Value;
        Assert.True(Text.Paragraphs.TryGetValue(number, out string? text), $"'{reference.Value}' leads to no paragraph.");
        Assert.True(number is "4.7" or "11.3" || text.Contains("<!-- ", StringComparison.Ordinal), $"'{reference.Value}' leads to a paragraph without a table.");
    });

    [Fact]
    public void References_lead_to_paragraphs() => Assert.All(Regex.Matches(Text.Text, @"(?:see |\(|; )(\d+\.\d+)(?=[),. ]| apart)"), reference =>
        Assert.True(Text.Paragraphs.ContainsKey(reference.Groups[1].Value), $"'{reference.Value}' leads to no paragraph."));

    /// <summary>"layout DomainOffer" in a cell must be a layout of the document.</summary>
    [Fact]
    public void References_lead_to_layouts() => Assert.All(Regex.Matches(Text.Text, @"\| [^|\n]*\blayout ([A-Z]\w+)"), reference =>
        Assert.Contains(Text.Layouts, layout => layout.Name == reference.Groups[1].Value));
}
