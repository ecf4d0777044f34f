using System.Buffers.Binary;
using CuFrames.Control.Internal;
using CuFrames.Control.V1;
using Xunit;

namespace CuFrames.Control.Tests;

/// <summary>The notations of gRPC's wire, against its document.</summary>
public sealed class WireTests
{
    [Theory]
    [InlineData("5S", 5_000_000_0)]
    [InlineData("100m", 1_000_000)]
    [InlineData("1u", 10)]
    [InlineData("1n", 1)]
    [InlineData("250n", 3)]
    [InlineData("2M", 1_200_000_000)]
    [InlineData("1H", 36_000_000_000)]
    [InlineData("99999999H", 99_999_999L * 36_000_000_000)]
    public void Timeouts_are_read(string text, long ticks)
    {
        Assert.True(RpcWire.TryParseTimeout(text, out TimeSpan timeout));
        Assert.Equal(ticks, timeout.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("5")]
    [InlineData("5s")]
    [InlineData("-5S")]
    [InlineData("+5S")]
    [InlineData(" 5S")]
    [InlineData("5.5S")]
    [InlineData("123456789S")]
    public void What_is_no_timeout_is_refused(string text) => Assert.False(RpcWire.TryParseTimeout(text, out _));

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(999_999_999)]
    [InlineData(10_000_000_000)]
    [InlineData(36_000_000_000L * 24 * 365)]
    public void Timeouts_are_written_so_that_the_server_never_gives_up_first(long ticks)
    {
        string text = RpcWire.FormatTimeout(TimeSpan.FromTicks(ticks));
        Assert.True(RpcWire.TryParseTimeout(text, out TimeSpan read), text);
        Assert.InRange(read.Ticks, ticks, (long)(ticks * 1.01) + TimeSpan.TicksPerMicrosecond);
    }

    [Theory]
    [InlineData("plain text.", "plain text.")]
    [InlineData("100 %", "100 %25")]
    [InlineData("Küche\n", "K%C3%BCche%0A")]
    [InlineData("🎥", "%F0%9F%8E%A5")]
    public void Texts_are_percent_encoded(string text, string encoded)
    {
        Assert.Equal(encoded, RpcWire.EncodeText(text));
        Assert.Equal(text, RpcWire.DecodeText(encoded));
    }

    [Theory]
    [InlineData("%", "%")]
    [InlineData("%4", "%4")]
    [InlineData("%zz", "%zz")]
    [InlineData("50%!", "50%!")]
    public void A_text_that_is_not_well_encoded_is_kept(string encoded, string text) => Assert.Equal(text, RpcWire.DecodeText(encoded));

    [Theory]
    [InlineData("application/grpc", true)]
    [InlineData("application/grpc+proto", true)]
    [InlineData("application/grpc;charset=utf-8", true)]
    [InlineData("application/grpc+json", false)]
    [InlineData("application/grpc-web", false)]
    [InlineData("application/json", false)]
    [InlineData(null, false)]
    public void Content_types(string? type, bool isOurs) => Assert.Equal(isOurs, RpcWire.IsContentType(type));

    [Fact]
    public void Every_method_of_the_proto_has_its_path_and_its_types()
    {
        string[] known =
        [
            Describe(ControlMethods.GetDaemon), Describe(ControlMethods.ListCameras), Describe(ControlMethods.GetCamera), Describe(ControlMethods.AddCamera),
            Describe(ControlMethods.UpdateCamera), Describe(ControlMethods.RemoveCamera), Describe(ControlMethods.RestartCamera), Describe(ControlMethods.GetStatistics),
            Describe(ControlMethods.TakeSnapshot), Describe(ControlMethods.SetLogLevel), Describe(ControlMethods.ListReaders), Describe(ControlMethods.EvictReader), Describe(ControlMethods.WatchEvents),
        ];
        Google.Protobuf.Reflection.ServiceDescriptor service = ControlReflection.Descriptor.Services.Single();
        Assert.Equal(service.Methods.Select(method => $"/{service.FullName}/{method.Name} {method.InputType.Name} {method.OutputType.Name}"), known);

        static string Describe<TRequest, TResponse>(RpcMethod<TRequest, TResponse> method)
            where TRequest : class, Google.Protobuf.IMessage<TRequest>
            where TResponse : class, Google.Protobuf.IMessage<TResponse> => $"{method.Path} {typeof(TRequest).Name} {typeof(TResponse).Name}";
    }

    [Fact]
    public async Task A_message_is_read_whole_from_a_body_that_comes_byte_by_byte()
    {
        byte[] frame = MessageFraming.Frame(new GetCameraRequest { Key = "front" });
        using Trickle body = new([.. frame, .. frame]);
        for (int i = 0; i < 2; i++)
        {
            GetCameraRequest? request = await MessageFraming.ReadAsync(body, GetCameraRequest.Parser, TestContext.Current.CancellationToken);
            Assert.Equal("front", request?.Key);
        }

        Assert.Null(await MessageFraming.ReadAsync(body, GetCameraRequest.Parser, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(0, 10u, 3, RpcStatus.Internal)]
    [InlineData(1, 3u, 3, RpcStatus.Unimplemented)]
    [InlineData(2, 3u, 3, RpcStatus.Internal)]
    [InlineData(0, 4194305u, 3, RpcStatus.ResourceExhausted)]
    [InlineData(0, uint.MaxValue, 3, RpcStatus.ResourceExhausted)]
    [InlineData(0, 3u, 3, RpcStatus.Internal)]
    public async Task A_broken_message_is_an_error(byte compressed, uint length, int bytes, RpcStatus status)
    {
        byte[] content = new byte[5 + bytes];
        content[0] = compressed;
        BinaryPrimitives.WriteUInt32BigEndian(content.AsSpan(1), length);
        content.AsSpan(5).Fill(0xFF);
        using MemoryStream body = new(content);
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () => await MessageFraming.ReadAsync(body, GetCameraRequest.Parser, TestContext.Current.CancellationToken));
        Assert.Equal(status, error.Status);
    }

    [Fact]
    public async Task Bytes_of_all_kinds_are_a_message_or_one_of_the_errors()
    {
        Random random = new(7);
        byte[] content = new byte[64];
        for (int i = 0; i < 200_000; i++)
        {
            random.NextBytes(content);
            content[0] = (byte)random.Next(3);
            BinaryPrimitives.WriteUInt32BigEndian(content.AsSpan(1), (uint)random.Next(70));
            using MemoryStream body = new(content, 0, random.Next(content.Length));
            try
            {
                while (await MessageFraming.ReadAsync(body, Camera.Parser, TestContext.Current.CancellationToken) is not null)
                {
                }
            }
            catch (RpcException)
            {
                // One of the three, each tested above.
            }
        }
    }

    private sealed class Trickle(byte[] content) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(1, buffer.Length)], cancellationToken);
    }
}
