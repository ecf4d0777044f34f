using System.Buffers.Binary;
using System.Text;
using CuFrames.Control;
using CuFrames.Control.Internal;
using CuFrames.Control.V1;
using Google.Protobuf;
using static CuFrames.Fuzz.BrokenInvariantException;

namespace CuFrames.Fuzz.Targets;

/// <summary>
/// What a caller of the control API sends: messages with their prefixes, time-outs, texts, content types. The input is what to read (one byte), how many
/// bytes come at a time (one byte), and then the bytes.
/// </summary>
internal sealed class RpcTarget : FuzzTarget
{
    private const int HeadSize = 2;

    /// <summary>What the first byte stands for, when it is not the number of a message.</summary>
    private const int FirstText = 200;

    private static readonly Reader[] Readers =
    [
        Of(GetCameraRequest.Parser, new GetCameraRequest { Key = "front" }),
        Of(AddCameraRequest.Parser, new AddCameraRequest { Key = "yard", Settings = "{source: \"test:nv12@64x48@5\", renditions: {small: {width: 32}}}" }),
        Of(ListReadersRequest.Parser, new ListReadersRequest { Stream = "front@small" }),
        Of(EvictReaderRequest.Parser, new EvictReaderRequest { Stream = "front", ReadsPackets = true, Id = 7, Reason = "too slow" }),
        Of(WatchEventsRequest.Parser, new WatchEventsRequest { Camera = "front", Past = 1000, PastOnly = true }),
        Of(TakeSnapshotRequest.Parser, new TakeSnapshotRequest { Stream = "front", Format = PictureFormat.Png, MaxWidth = 320 }),
        Of(SetLogLevelRequest.Parser, new SetLogLevelRequest { Level = Severity.Warning }),
        Of(ListCamerasResponse.Parser, new ListCamerasResponse { Cameras = { new Camera { Key = "a", Reason = "ü", Streams = { new CuFrames.Control.V1.Stream { Key = "a", Width = 9 } } } } }),
        Of(Event.Parser, new Event { Sequence = 5, Text = "x", Missed = 9 }),
    ];

    public override string Name => "rpc";

    public override IEnumerable<byte[]> Seeds(TestVectors vectors)
    {
        for (int i = 0; i < Readers.Length; i++)
        {
            yield return [(byte)i, 0, .. Readers[i].Example];
            yield return [(byte)i, 1, .. Readers[i].Example, .. Readers[i].Example];
        }

        foreach (string text in (string[])["1S", "99999999H", "00000001n", "50m", "", "application/grpc", "application/grpc+proto;x", "%E2%82%AC%zz%", "plain text", "a\nü€😀"])
        {
            yield return [FirstText, 0, .. Encoding.UTF8.GetBytes(text)];
        }
    }

    public override void Mutate(InputBuffer input, FuzzRandom random, ReadOnlySpan<byte> other)
    {
        if (input.Length < HeadSize + RpcWire.PrefixBytes || input.Bytes[0] >= FirstText || random.OneIn(8))
        {
            input.ChangeAnywhere(random, other);
            return;
        }

        switch (random.Below(5))
        {
            case 0:
                input.Bytes[0] = (byte)random.Below(Readers.Length);
                break;
            case 1:
                input.Bytes[1] = (byte)random.Below(12);
                break;
            case 2:
                input.ChangeNumber(HeadSize + RpcWire.PrefixBytes + random.Below(input.Length - HeadSize - RpcWire.PrefixBytes + 1), 1, random);
                break;
            default:
                input.ChangeAnywhere(random, other);
                break;
        }

        // A message that its length refuses tests nothing of what is in it.
        if (input.Length >= HeadSize + RpcWire.PrefixBytes && !random.OneIn(12))
        {
            Span<byte> prefix = input.Bytes.Slice(HeadSize, RpcWire.PrefixBytes);
            prefix[0] = 0;
            BinaryPrimitives.WriteInt32BigEndian(prefix[1..], input.Length - HeadSize - RpcWire.PrefixBytes);
        }
    }

    public override void Run(ReadOnlySpan<byte> input, OutcomeMap outcomes)
    {
        if (input.Length < HeadSize)
        {
            return;
        }

        ReadOnlySpan<byte> bytes = input[HeadSize..];
        if (input[0] >= FirstText)
        {
            RunText(bytes, outcomes);
            return;
        }

        int kind = input[0] % Readers.Length;
        Readers[kind].Run(bytes, input[1] == 0 ? int.MaxValue : input[1], kind, outcomes);
    }

    private static Reader Of<T>(MessageParser<T> parser, T example)
        where T : class, IMessage<T> => new(MessageFraming.Frame(example), (bytes, piece, kind, outcomes) => RunMessages(parser, bytes, piece, kind, outcomes));

    /// <summary>Reads all messages of a body, and judges each by a second look at the prefix.</summary>
    private static void RunMessages<T>(MessageParser<T> parser, ReadOnlySpan<byte> bytes, int piece, int kind, OutcomeMap outcomes)
        where T : class, IMessage<T>
    {
        using BrokenStream body = new(bytes.ToArray(), piece);
        int position = 0;
        for (int count = 0; ; count++)
        {
            ReadOnlySpan<byte> rest = bytes[position..];
            RpcStatus expected = rest.Length switch
            {
                < RpcWire.PrefixBytes => RpcStatus.Internal,
                _ when rest[0] == 1 => RpcStatus.Unimplemented,
                _ when rest[0] > 1 => RpcStatus.Internal,
                _ when BinaryPrimitives.ReadUInt32BigEndian(rest[1..]) > RpcWire.MaxReceivedBytes => RpcStatus.ResourceExhausted,
                _ when BinaryPrimitives.ReadUInt32BigEndian(rest[1..]) > rest.Length - RpcWire.PrefixBytes => RpcStatus.Internal,
                _ => RpcStatus.Ok,
            };
            try
            {
                Task<T?> reading = MessageFraming.ReadAsync(body, parser, default).AsTask();
                Require(reading.IsCompleted, "Reading waited where nothing more can come.");
                T? message = reading.GetAwaiter().GetResult();
                Require((message is null) == rest.IsEmpty, "The end of a body was taken for a message, or a message for the end.");
                if (message is null)
                {
                    outcomes.Add(0x6000 + (kind << 4) + Math.Min(count, 3));
                    return;
                }

                Require(expected == RpcStatus.Ok, $"A message was read where {expected} was right.");
                position += RpcWire.PrefixBytes + (int)BinaryPrimitives.ReadUInt32BigEndian(rest[1..]);
                CheckFrame(parser, message);
            }
            catch (RpcException error)
            {
                // Only bytes that are no message may be refused where the prefix is right.
                Require(error.Status == (expected == RpcStatus.Ok ? RpcStatus.Internal : expected), $"A body was refused with {error.Status} where {expected} was right.");
                Require(error.Message.Length is > 10 and < 1000, "An error says nothing, or too much.");
                outcomes.Add(0x7000 + kind + ((int)error.Status << 4), error.Message);
                return;
            }
        }
    }

    private static void CheckFrame<T>(MessageParser<T> parser, T message)
        where T : class, IMessage<T>
    {
        byte[] frame = MessageFraming.Frame(message);
        Require(frame[0] == 0 && BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(1)) == frame.Length - RpcWire.PrefixBytes, "A message was written with a wrong prefix.");
        T again = parser.ParseFrom(frame, RpcWire.PrefixBytes, frame.Length - RpcWire.PrefixBytes);

        // NaN in a field would not equal itself; messages here have none.
        Require(again.Equals(message), "A message was written as another one.");
    }

    private static void RunText(ReadOnlySpan<byte> bytes, OutcomeMap outcomes)
    {
        string text = Encoding.Latin1.GetString(bytes);
        string decoded = RpcWire.DecodeText(text);
        Require(decoded.Length <= text.Length, "A text became longer when it was read.");

        // Whatever a text is, it comes back as it was, save halves of characters, for which UTF-8 has a sign.
        string unicode = Encoding.UTF8.GetString(bytes);
        string encoded = RpcWire.EncodeText(unicode);
        Require(encoded.All(c => c is >= ' ' and <= '~'), "A text was written with bytes that a header may not have.");
        Require(RpcWire.DecodeText(encoded) == unicode, "A text was written as another one.");
        bool isTimeout = RpcWire.TryParseTimeout(text, out TimeSpan timeout);
        if (isTimeout)
        {
            Require(timeout >= TimeSpan.Zero && text.Length is >= 2 and <= 9, "An impossible time-out was accepted.");
            Require(RpcWire.TryParseTimeout(RpcWire.FormatTimeout(timeout), out TimeSpan again) && again >= timeout, "A time-out was written as a shorter one, or as none.");
        }

        bool isType = RpcWire.IsContentType(text);
        Require(!isType || text.StartsWith(RpcWire.ContentType, StringComparison.OrdinalIgnoreCase), "Another content type was accepted.");
        outcomes.Add(0x8000 + (isTimeout ? 1 : 0) + (isType ? 2 : 0) + (decoded.Length < text.Length ? 4 : 0) + (Math.Min(text.Length, 40) << 3));
    }

    /// <summary>A kind of message: an example with its prefix, and what reads a body of them.</summary>
    private sealed record Reader(byte[] Example, ReadBody Run);

    private delegate void ReadBody(ReadOnlySpan<byte> bytes, int piece, int kind, OutcomeMap outcomes);
}
