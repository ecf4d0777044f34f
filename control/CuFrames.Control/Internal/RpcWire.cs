using System.Globalization;
using System.Text;

namespace CuFrames.Control.Internal;

/// <summary>
/// Names, limits and notations of the gRPC protocol over HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md). Only the part that the control API
/// needs: unary and server-streaming calls, no compression.
/// </summary>
internal static class RpcWire
{
    internal const string ContentType = "application/grpc";
    internal const string StatusHeader = "grpc-status";
    internal const string MessageHeader = "grpc-message";
    internal const string TimeoutHeader = "grpc-timeout";
    internal const string EncodingHeader = "grpc-encoding";
    internal const string AcceptEncodingHeader = "grpc-accept-encoding";

    /// <summary>The one encoding of messages that is understood: none.</summary>
    internal const string Identity = "identity";

    /// <summary>Bytes before each message: whether it is compressed, and its length, big-endian.</summary>
    internal const int PrefixBytes = 5;

    /// <summary>Largest message that is taken, in bytes: gRPC's usual limit. The answer to TakeSnapshot has its own.</summary>
    internal const int MaxReceivedBytes = 4 << 20;

    /// <summary>Largest answer to TakeSnapshot, in bytes: a picture of 4K in PNG, whatever it shows, is smaller.</summary>
    internal const int MaxSnapshotBytes = 32 << 20;

    /// <summary>Most digits of a time-out (PROTOCOL-HTTP2.md).</summary>
    private const int MaxTimeoutDigits = 8;

    /// <summary>Whether a content type is that of a gRPC call with protobuf messages.</summary>
    internal static bool IsContentType(string? value) =>
        value is not null && value.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase) && value[ContentType.Length..] is var rest &&
        (rest.Length == 0 || rest[0] == ';' || (rest.StartsWith("+proto", StringComparison.OrdinalIgnoreCase) && (rest.Length == 6 || rest[6] == ';')));

    /// <summary>Writes a time-out. Rounded up, so that the server never gives up before its caller; never 0, which some servers take for an error.</summary>
    internal static string FormatTimeout(TimeSpan timeout)
    {
        // The finest unit in which it has at most eight digits.
        ReadOnlySpan<(char Unit, long Ticks)> units =
        [
            ('u', TimeSpan.TicksPerMicrosecond), ('m', TimeSpan.TicksPerMillisecond), ('S', TimeSpan.TicksPerSecond), ('M', TimeSpan.TicksPerMinute), ('H', TimeSpan.TicksPerHour),
        ];
        long ticks = Math.Max(1, timeout.Ticks);
        foreach ((char unit, long size) in units)
        {
            long count = ((ticks - 1) / size) + 1;
            if (count < 100_000_000)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{count}{unit}");
            }
        }

        return "99999999H";
    }

    /// <summary>Reads a time-out.</summary>
    /// <returns>Whether it is one.</returns>
    internal static bool TryParseTimeout(string text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > MaxTimeoutDigits + 1 || !long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out long count))
        {
            return false;
        }

        // The longest, 99,999,999 hours, is less than TimeSpan can hold.
        TimeSpan? found = text[^1] switch
        {
            'H' => TimeSpan.FromTicks(count * TimeSpan.TicksPerHour),
            'M' => TimeSpan.FromTicks(count * TimeSpan.TicksPerMinute),
            'S' => TimeSpan.FromTicks(count * TimeSpan.TicksPerSecond),
            'm' => TimeSpan.FromTicks(count * TimeSpan.TicksPerMillisecond),
            'u' => TimeSpan.FromTicks(count * TimeSpan.TicksPerMicrosecond),
            'n' => TimeSpan.FromTicks((count + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick),
            _ => null,
        };
        timeout = found ?? default;
        return found is not null;
    }

    /// <summary>Writes a text as <c>grpc-message</c> has it: UTF-8, percent-encoded outside of printable ASCII.</summary>
    internal static string EncodeText(string text)
    {
        StringBuilder encoded = new(text.Length);
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            if (b is >= 0x20 and <= 0x7E and not (byte)'%')
            {
                encoded.Append((char)b);
            }
            else
            {
                encoded.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
            }
        }

        return encoded.ToString();
    }

    /// <summary>Reads a text. Bytes that are not well-formed stand for themselves, as the protocol asks for: a text about an error is not lost for that.</summary>
    internal static string DecodeText(string encoded)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(encoded.Length)];
        int count = 0;
        for (int i = 0; i < encoded.Length; i++)
        {
            if (encoded[i] == '%' && i + 2 < encoded.Length && byte.TryParse(encoded.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte b))
            {
                bytes[count++] = b;
                i += 2;
            }
            else
            {
                count += Encoding.UTF8.GetBytes(encoded.AsSpan(i, 1), bytes.AsSpan(count));
            }
        }

        return Encoding.UTF8.GetString(bytes, 0, count);
    }

    /// <summary>The status that stands for an answer of HTTP without one of gRPC (doc/http-grpc-status-mapping.md).</summary>
    internal static RpcStatus OfHttp(int status) => status switch
    {
        400 => RpcStatus.Internal,
        401 => RpcStatus.Unauthenticated,
        403 => RpcStatus.PermissionDenied,
        404 => RpcStatus.Unimplemented,
        429 or 502 or 503 or 504 => RpcStatus.Unavailable,
        _ => RpcStatus.Unknown,
    };
}
