using System.Globalization;
using Google.Protobuf;

namespace CuFrames.Operations.Tests;

/// <summary>
/// What a collector got at once: an ExportMetricsServiceRequest, read with the field numbers of opentelemetry-proto 1.x. A field of another wire type than there
/// is an error, so is one that is unknown.
/// </summary>
internal sealed class OtlpPushed
{
    private OtlpPushed(byte[] bytes) => Bytes = bytes;

    public byte[] Bytes { get; }

    public Dictionary<string, string> Resource { get; } = [];

    public string Scope { get; private set; } = "";

    public List<OtlpPoint> Points { get; } = [];

    public static OtlpPushed Read(byte[] bytes)
    {
        OtlpPushed pushed = new(bytes);
        Fields(bytes, (field, input) => Only(field, 1, () => Fields(input.ReadBytes().ToByteArray(), pushed.ReadResourceMetrics)));
        return pushed;
    }

    public IEnumerable<OtlpPoint> Of(string metric, params (string Name, string Value)[] attributes) =>
        Points.Where(point => point.Metric == metric && attributes.All(wanted => point.Attributes.TryGetValue(wanted.Name, out string? value) && value == wanted.Value));

    private void ReadResourceMetrics(int field, CodedInputStream input)
    {
        switch (field)
        {
            case 1:
                Fields(input.ReadBytes().ToByteArray(), (inner, body) => Only(inner, 1, () => ReadAttribute(body, Resource)));
                break;
            case 2:
                Fields(input.ReadBytes().ToByteArray(), ReadScopeMetrics);
                break;
            default:
                SkipSchema("ResourceMetrics", field, input);
                break;
        }
    }

    private void ReadScopeMetrics(int field, CodedInputStream input)
    {
        switch (field)
        {
            case 1:
                Fields(input.ReadBytes().ToByteArray(), (inner, body) => Scope += body.ReadString() + (inner == 1 ? " " : ""));
                break;
            case 2:
                ReadMetric(input.ReadBytes().ToByteArray());
                break;
            default:
                SkipSchema("ScopeMetrics", field, input);
                break;
        }
    }

    /// <summary>schema_url, which says of what version the names of attributes are.</summary>
    private static void SkipSchema(string where, int field, CodedInputStream input) =>
        Only(field, 3, () => Assert.True(input.ReadString().Length > 0, where));

    private void ReadMetric(byte[] bytes)
    {
        string name = "", unit = "";
        Fields(bytes, (field, input) =>
        {
            switch (field)
            {
                case 1:
                    name = input.ReadString();
                    break;
                case 2:
                    _ = input.ReadString();
                    break;
                case 3:
                    unit = input.ReadString();
                    break;
                case 5:
                case 7:
                case 9:
                    ReadData(name, unit, field, input.ReadBytes().ToByteArray());
                    break;
                default:
                    throw Unknown("Metric", field);
            }
        });
    }

    private void ReadData(string name, string unit, int kind, byte[] bytes)
    {
        int temporality = 0;
        bool isMonotonic = false;
        List<byte[]> points = [];
        Fields(bytes, (field, input) =>
        {
            switch (field)
            {
                case 1:
                    points.Add(input.ReadBytes().ToByteArray());
                    break;
                case 2 when kind != 5:
                    temporality = input.ReadEnum();
                    break;
                case 3 when kind == 7:
                    isMonotonic = input.ReadBool();
                    break;
                default:
                    throw Unknown(name, field);
            }
        });
        string kindName = kind == 5 ? "gauge" : kind == 9 ? "histogram" : isMonotonic ? "counter" : "sum";
        Points.AddRange(points.Select(point => kind == 9 ? ReadHistogram(name, unit, temporality, point) : ReadNumber(name, unit, kindName, temporality, point)));
    }

    private static OtlpPoint ReadNumber(string name, string unit, string kind, int temporality, byte[] bytes)
    {
        Dictionary<string, string> attributes = [];
        ulong start = 0, time = 0;
        double value = double.NaN;
        Fields(bytes, (field, input) =>
        {
            switch (field)
            {
                case 2:
                    start = input.ReadFixed64();
                    break;
                case 3:
                    time = input.ReadFixed64();
                    break;
                case 4:
                    value = input.ReadDouble();
                    break;
                case 6:
                    value = input.ReadSFixed64();
                    break;
                case 7:
                    ReadAttribute(input, attributes);
                    break;
                default:
                    throw Unknown(name, field);
            }
        });
        return new OtlpPoint(name, unit, kind, temporality, attributes, start, time, value, 0, [], []);
    }

    private static OtlpPoint ReadHistogram(string name, string unit, int temporality, byte[] bytes)
    {
        Dictionary<string, string> attributes = [];
        ulong start = 0, time = 0, count = 0;
        double sum = 0;
        List<ulong> buckets = [];
        List<double> bounds = [];
        Fields(bytes, (field, input) =>
        {
            switch (field)
            {
                case 2:
                    start = input.ReadFixed64();
                    break;
                case 3:
                    time = input.ReadFixed64();
                    break;
                case 4:
                    count = input.ReadFixed64();
                    break;
                case 5:
                    sum = input.ReadDouble();
                    break;
                case 6:
                    CodedInputStream packed = input.ReadBytes().CreateCodedInput();
                    while (!packed.IsAtEnd)
                    {
                        buckets.Add(packed.ReadFixed64());
                    }

                    break;
                case 7:
                    CodedInputStream numbers = input.ReadBytes().CreateCodedInput();
                    while (!numbers.IsAtEnd)
                    {
                        bounds.Add(numbers.ReadDouble());
                    }

                    break;
                case 9:
                    ReadAttribute(input, attributes);
                    break;
                case 11 or 12:
                    _ = input.ReadDouble();
                    break;
                default:
                    throw Unknown(name, field);
            }
        });
        return new OtlpPoint(name, unit, "histogram", temporality, attributes, start, time, sum, count, buckets, bounds);
    }

    private static void ReadAttribute(CodedInputStream input, Dictionary<string, string> attributes)
    {
        string name = "", value = "";
        Fields(input.ReadBytes().ToByteArray(), (field, attribute) =>
        {
            if (field == 1)
            {
                name = attribute.ReadString();
                return;
            }

            Fields(attribute.ReadBytes().ToByteArray(), (kind, any) => value = kind == 1 ? any.ReadString() : kind == 3 ? any.ReadInt64().ToString(CultureInfo.InvariantCulture) : throw Unknown("AnyValue", kind));
        });
        attributes.Add(name, value);
    }

    private static void Fields(byte[] bytes, Action<int, CodedInputStream> read)
    {
        CodedInputStream input = new(bytes);
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            read(WireFormat.GetTagFieldNumber(tag), input);
        }
    }

    private static void Only(int field, int wanted, Action read)
    {
        if (field != wanted)
        {
            throw Unknown("a message with one field", field);
        }

        read();
    }

    private static InvalidDataException Unknown(string where, int field) => new($"field {field} in {where}");
}
