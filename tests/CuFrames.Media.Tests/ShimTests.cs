using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using CuFrames.Media.Internal;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>The C header and the C# side agree, and no text of the shim holds a secret.</summary>
public sealed unsafe class ShimTests
{
    [Fact]
    public void The_libraries_load_and_tell_their_versions()
    {
        MediaLibraryVersions versions = MediaLibrary.Versions;
        Assert.True(versions.Avcodec.Major >= 59, versions.ToString());
        Assert.Equal(versions.BuiltForAvcodec.Major, versions.Avcodec.Major);
        Assert.NotEqual("", versions.Release);
        Assert.True(MediaLibrary.HasDecoder("h264"));
        Assert.True(MediaLibrary.HasDecoder("hevc"));
        Assert.False(MediaLibrary.HasDecoder("no such decoder"));
    }

    /// <summary>A C compiler says where the header's fields are.</summary>
    [Fact]
    public void Structs_have_the_same_layout_in_C_and_CSharp()
    {
        (Type Type, string Name)[] structs =
        [
            (typeof(AvNative.Options), "cuframes_av_options"), (typeof(AvNative.StreamInfo), "cuframes_av_stream_info"),
            (typeof(AvNative.PacketInfo), "cuframes_av_packet_info"), (typeof(AvNative.FrameInfo), "cuframes_av_frame_info"),
            (typeof(PicturePlane), "cuframes_av_plane"), (typeof(AvNative.Versions), "cuframes_av_versions"),
            (typeof(AvNative.Decoder), "cuframes_av_decoder"), (typeof(AvNative.NvdecCaps), "cuframes_av_nvdec_caps"),
            (typeof(AvNative.Track), "cuframes_av_source_track"), (typeof(AvNative.Coded), "cuframes_av_coded"),
        ];
        using MediaClips folder = new();
        string header = Path.GetFullPath(Path.Combine(SourceFolder(), "../../media/shim/cuframes_av.h"));
        string text = File.ReadAllText(header);
        StringBuilder program = new($"#include \"{header}\"\n#include <stdio.h>\nint main(void) {{\n");
        List<string> expected = [];
        foreach ((Type type, string name) in structs)
        {
            int end = text.IndexOf($"}} {name};", StringComparison.Ordinal);
            int start = text.LastIndexOf("typedef struct", end, StringComparison.Ordinal);
            string[] fields = FieldsOf(text[(text.IndexOf('{', start) + 1)..end]);
            FieldInfo[] own = type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
            program.Append($"printf(\"{name} %zu\\n\", sizeof({name}));\n");
            expected.Add($"{name} {SizeOf(type)}");
            Assert.True(fields.Length <= own.Length, name);
            for (int i = 0; i < fields.Length; i++)
            {
                program.Append($"printf(\"{name}.{fields[i]} %zu\\n\", offsetof({name}, {fields[i]}));\n");
                expected.Add($"{name}.{fields[i]} {Marshal.OffsetOf(type, own[i].Name)}");
            }
        }

        program.Append("return 0; }\n");
        File.WriteAllText(folder.PathOf("layout.c"), program.ToString());
        Run("cc", "-Wall", "-Werror", "-o", folder.PathOf("layout"), folder.PathOf("layout.c"));
        Assert.Equal(expected, Run(folder.PathOf("layout")).Split('\n', StringSplitOptions.RemoveEmptyEntries));

        static string[] FieldsOf(string body)
        {
            List<string> fields = [];
            foreach (string line in body.Split('\n'))
            {
                string declaration = line.Split("/*")[0].Trim();
                if (!declaration.EndsWith(';'))
                {
                    continue;
                }

                foreach (string part in declaration.TrimEnd(';').Split(','))
                {
                    fields.Add(part.Split('[')[0].Split(' ', '*')[^1]);
                }
            }

            return [.. fields];
        }
    }

    [Fact]
    public void The_header_is_valid_cpp_too()
    {
        using MediaClips folder = new();
        string header = Path.GetFullPath(Path.Combine(SourceFolder(), "../../media/shim/cuframes_av.h"));
        File.WriteAllText(folder.PathOf("a.cpp"), $"#include \"{header}\"\nint main() {{ return 0; }}\n");
        Run("c++", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", folder.PathOf("a.cpp"));
    }

    [Theory]
    [InlineData("nothing here", null, "nothing here")]
    [InlineData("open rtsp://u:geheim@h/p failed", null, "open rtsp://***@h/p failed")]
    [InlineData("open rtsp://u:ge@heim@h:1/p?token=geheim failed", null, "open rtsp://***@h:1/p?*** failed")]
    [InlineData("'http://h/a?sig=geheim' and \"https://u@h?x\"", null, "'http://h/a?***' and \"https://***@h?***\"")]
    [InlineData("pass geheim, geheimer, http://h/geheim/x", "geheim\nab", "pass ***, ***er, http://h/***/x")]
    [InlineData("a://", null, "a://")]
    [InlineData("rtsp://u:geheim@", null, "rtsp://***@")]
    public void The_shim_blanks_secrets(string text, string? secrets, string expected)
    {
        MediaLibrary.Load();
        byte* buffer = stackalloc byte[256];
        int length = (int)AvNative.Redact(text, secrets, buffer, 256);
        Assert.Equal(expected, Encoding.UTF8.GetString(buffer, length));
    }

    [Fact]
    public void Blanking_stays_within_its_buffer()
    {
        MediaLibrary.Load();
        byte[] buffer = new byte[64];
        string text = "rtsp://u:geheim@host/path?token=geheim and then geheim";
        for (int capacity = 1; capacity < 60; capacity++)
        {
            buffer.AsSpan().Fill(0xA5);
            fixed (byte* target = buffer)
            {
                int length = (int)AvNative.Redact(text, "geheim", target, (nuint)capacity);
                Assert.True(length < capacity);
                Assert.Equal(0, buffer[length]);
                Assert.Equal(-1, buffer.AsSpan(capacity).IndexOfAnyExcept((byte)0xA5));
            }
        }
    }

    [Fact]
    public void Arguments_that_are_out_of_range_are_refused()
    {
        using AvSourceHandle handle = AvNative.Create();
        AvNative.Options options = new() { Size = (uint)sizeof(AvNative.Options), Flags = 0x80 };
        Assert.Equal(-3, AvNative.Open(handle, "file:/nothing", null, &options));
        options = new() { Size = 8 };
        Assert.Equal(-3, AvNative.Open(handle, "file:/nothing", null, &options));
        AvNative.FrameInfo frame = new() { Size = 4 };
        Assert.Equal(-3, AvNative.ReceiveFrame(handle, &frame));
        frame.Size = (uint)sizeof(AvNative.FrameInfo);
        Assert.Equal(-3, AvNative.ReceiveFrame(handle, &frame));
        Assert.Equal(-3, AvNative.SendPacket(handle, 1));
        Assert.Equal(-3, AvNative.FrameCopy(handle, null, 0));
    }

    [Fact]
    public void A_decoder_is_opened_after_the_source_and_with_what_it_needs()
    {
        using MediaClips clips = new();
        string path = clips.H264("a.mp4", 64, 64, 0.2);
        using AvSourceHandle handle = AvNative.Create();
        AvNative.Decoder software = new() { Size = (uint)sizeof(AvNative.Decoder) };
        Assert.Equal(-3, AvNative.OpenDecoder(handle, &software));
        AvNative.Options options = new() { Size = (uint)sizeof(AvNative.Options) };
        Assert.Equal(0, AvNative.Open(handle, path, null, &options));
        AvNative.FrameInfo frame = new() { Size = (uint)sizeof(AvNative.FrameInfo) };
        Assert.Equal(-3, AvNative.ReceiveFrame(handle, &frame));

        AvNative.Decoder[] impossible =
        [
            software with { Size = 8 },
            software with { Mode = 2 },
            software with { Reserved = 1 },
            software with { ExtraSurfaces = 33 },
            software with { Mode = AvNative.DecodeNvdec },
            software with { Mode = AvNative.DecodeNvdec, CudaContext = 8 },
            software with { Mode = AvNative.DecodeNvdec, CudaStream = 8 },
        ];
        foreach (AvNative.Decoder decoder in impossible)
        {
            AvNative.Decoder copy = decoder;
            Assert.Equal(-3, AvNative.OpenDecoder(handle, &copy));
        }

        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(0, AvNative.OpenDecoder(handle, &software));
            Assert.Equal(2, AvNative.ReceiveFrame(handle, &frame));
            AvNative.CloseDecoder(handle);
            Assert.Equal(-3, AvNative.ReceiveFrame(handle, &frame));
        }
    }

    /// <summary>As NVDEC does not decode it: the packet that was read goes to another decoder, and no picture is missing.</summary>
    [Fact]
    public void The_packet_that_was_read_last_may_go_to_another_decoder()
    {
        using MediaClips clips = new();
        string path = clips.H264("a.mp4", 64, 64, 0.4);
        using AvSourceHandle handle = AvNative.Create();
        AvNative.Options options = new() { Size = (uint)sizeof(AvNative.Options), DecodeThreads = 1 };
        AvNative.Decoder software = new() { Size = (uint)sizeof(AvNative.Decoder) };
        AvNative.FrameInfo frame = new() { Size = (uint)sizeof(AvNative.FrameInfo) };
        AvNative.PacketInfo packet = new() { Size = (uint)sizeof(AvNative.PacketInfo) };
        Assert.Equal(0, AvNative.Open(handle, path, null, &options));
        Assert.Equal(0, AvNative.OpenDecoder(handle, &software));
        Assert.Equal(0, AvNative.ReadPacket(handle, &packet));
        Assert.Equal(0, AvNative.SendPacket(handle, 1));
        Assert.Equal(0, AvNative.OpenDecoder(handle, &software));
        Assert.Equal(0, AvNative.SendPacket(handle, 1));
        int frames = 0;
        for (int result; (result = AvNative.ReceiveFrame(handle, &frame)) != AvNative.End;)
        {
            if (result == AvNative.Again)
            {
                bool isAtEnd = AvNative.ReadPacket(handle, &packet) == AvNative.End;
                Assert.Equal(0, isAtEnd ? AvNative.SendEnd(handle) : AvNative.SendPacket(handle, 1));
                continue;
            }

            Assert.Equal(0, result);
            frames++;
        }

        Assert.Equal(10, frames);
    }

    private static int SizeOf(Type type) =>
        (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string output = process.StandardOutput.ReadToEnd();
        string messages = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, messages);
        return output;
    }
}
