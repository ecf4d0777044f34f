using Google.Protobuf;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>Reads what a collector answers: an ExportMetricsServiceResponse, empty when all is well.</summary>
internal static class OtlpAnswer
{
    private const int MaxText = 200;

    /// <summary>What the collector complains of.</summary>
    /// <param name="answer">Bytes of a peer.</param>
    /// <returns>Null: nothing.</returns>
    internal static string? Complaint(byte[] answer)
    {
        try
        {
            CodedInputStream input = new(answer);
            for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
            {
                if (WireFormat.GetTagFieldNumber(tag) == 1 && WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited)
                {
                    return ReadPartialSuccess(input.ReadBytes().CreateCodedInput());
                }

                input.SkipLastField();
            }

            return null;
        }
        catch (InvalidProtocolBufferException error)
        {
            return $"answered something that is no answer to metrics: {error.Message}";
        }
    }

    private static string? ReadPartialSuccess(CodedInputStream input)
    {
        long rejected = 0;
        string text = "";
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            switch (WireFormat.GetTagFieldNumber(tag), WireFormat.GetTagWireType(tag))
            {
                case (1, WireFormat.WireType.Varint):
                    rejected = input.ReadInt64();
                    break;
                case (2, WireFormat.WireType.LengthDelimited):
                    text = input.ReadString();
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        text = text.Length > MaxText ? text[..MaxText] + "..." : text;
        return rejected == 0 && text.Length == 0 ? null : $"took all metrics but {rejected} values: {(text.Length == 0 ? "it says no reason" : text.TrimEnd('.'))}.";
    }
}
