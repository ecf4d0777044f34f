using System.Globalization;
using System.Text.Json;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

/// <summary><c>doctor</c> on machines with GPUs of all kinds, all of them tests/fakecuda.</summary>
public sealed class GpuDoctorTests : IDisposable
{
    private static readonly string[] Features = ["vmm", "legacy ipc", "host registration", "stream writes", "ipc events"];

    private readonly TemporaryDirectory _directory = new();
    private readonly FakeCuda _cuda = new();

    public void Dispose()
    {
        _cuda.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void Every_device_is_tried_with_all_that_frames_in_its_memory_need()
    {
        CliResult result = Doctor("FAKECUDA_DEVICES=2");
        result.RequireSuccess();
        Assert.Matches("^CUDA 13.0, /.*/libcuda.so.1, .*, 2 devices$", Found(result, "gpu"));
        Assert.Contains("2 devices", Found(result, "visible devices"), StringComparison.Ordinal);
        for (int device = 0; device < 2; device++)
        {
            Assert.Matches(
                $"^Fakecuda device {device}, {FakeCuda.Uuids[device]}, compute capability 9.0, PCI 0000:0{device + 1}:00.0, .* GiB of .* GiB free$",
                Found(result, $"gpu {device}"));
            foreach (string feature in Features)
            {
                JsonElement check = Find(result, $"gpu {device} {feature}");
                Assert.Equal("ok", check.GetProperty("status").GetString());
                Assert.Equal(FakeCuda.Uuids[device], check.GetProperty("device").GetString());
            }

            Assert.Contains("a write there is refused", Found(result, $"gpu {device} vmm"), StringComparison.Ordinal);

            // The double has no NVDEC: the one sentence stands for all codecs.
            Assert.Equal("warn", Status(result, $"gpu {device} nvdec"));
            Assert.Contains("libnvcuvid.so.1", Found(result, $"gpu {device} nvdec"), StringComparison.Ordinal);
        }

        JsonElement gpu = result.Json.GetProperty("gpu");
        Assert.Equal("13.0", gpu.GetProperty("cuda_version").GetString());
        Assert.Equal(FakeCuda.Uuids, gpu.GetProperty("devices").EnumerateArray().Select(device => device.GetProperty("uuid").GetString()!));
        Assert.Contains("h264", Found(result, "nvdec in libavcodec"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_nvdec_decodes_is_said_for_each_codec_and_depth()
    {
        // The driver's own answers need a GPU: these stand for one that knows H.264 in 8 bits, HEVC in both depths and JPEG, and no AV1.
        string source = Path.Combine(_directory.Path, "nvcuvid.c");
        File.WriteAllText(source, """
            struct caps {
                int codec, chroma;
                unsigned depth_minus_8, reserved1[3];
                unsigned char supported, engines;
                unsigned short outputs;
                unsigned max_width, max_height, max_macroblocks;
                unsigned short min_width, min_height;
                unsigned reserved2[11];
            };
            int cuvidGetDecoderCaps(struct caps *caps)
            {
                caps->supported = caps->chroma == 1 &&
                    (caps->codec == 8 || (caps->depth_minus_8 == 0 && (caps->codec == 4 || caps->codec == 5)));
                caps->engines = caps->codec == 5 ? 1 : 3;
                caps->max_width = caps->codec == 8 ? 8192 : 4096;
                caps->max_height = caps->max_width;
                return 0;
            }
            """);
        MakeLibrary(source, "libnvcuvid.so.1");
        CliResult result = CliProcess.RunWith(_cuda.With($"LD_LIBRARY_PATH={_directory.Path}:{FakeCuda.Folder}"), _directory.Path, "doctor", "--json");
        result.RequireSuccess();
        Assert.Equal("8 bit up to 4096x4096, 3 engines; 10 bit not", Found(result, "gpu 0 nvdec h264"));
        Assert.Equal("8 bit up to 8192x8192, 3 engines; 10 bit up to 8192x8192, 3 engines", Found(result, "gpu 0 nvdec hevc"));
        Assert.Equal("8 bit up to 4096x4096, 1 engine; 10 bit not", Found(result, "gpu 0 nvdec mjpeg"));
        Assert.Equal("8 bit not; 10 bit not", Found(result, "gpu 0 nvdec av1"));
        Assert.Equal(["ok", "ok", "ok", "warn"], ((string[])["h264", "hevc", "mjpeg", "av1"]).Select(codec => Status(result, $"gpu 0 nvdec {codec}")));
        Assert.Contains("in software", Find(result, "gpu 0 nvdec av1").GetProperty("advice").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_driver_that_crashes_in_one_try_is_reported_and_the_others_go_on()
    {
        string source = Path.Combine(_directory.Path, "nvcuvid.c");
        File.WriteAllText(source, "int cuvidGetDecoderCaps(void *caps) { (void)caps; __builtin_trap(); }");
        MakeLibrary(source, "libnvcuvid.so.1");
        CliResult result = CliProcess.RunWith(
            _cuda.With($"LD_LIBRARY_PATH={_directory.Path}:{FakeCuda.Folder}", "FAKECUDA_DEVICES=2"), _directory.Path, "doctor", "--json");
        Assert.Equal(1, result.ExitCode);
        for (int device = 0; device < 2; device++)
        {
            Assert.Equal("fail", Status(result, $"gpu {device} nvdec"));
            Assert.Matches("^the process that tried it was ended by SIG(ILL|TRAP|ABRT)", Found(result, $"gpu {device} nvdec"));
            Assert.All(Features, name => Assert.Equal("ok", Status(result, $"gpu {device} {name}")));
        }
    }

    [Theory]
    [InlineData("vmm", "vmm", "no virtual memory management")]
    [InlineData("posix_fd", "vmm", "exports no memory")]
    [InlineData("stream_mem_ops", "stream writes", "no 64-bit stream memory operations")]
    [InlineData("host_register", "host registration,stream writes", "cannot register host memory")]
    [InlineData("ipc_events", "ipc events", "shares no events")]
    public void A_feature_that_the_device_lacks_is_a_warning_that_says_what_is_used_instead(string attribute, string missing, string text)
    {
        CliResult result = Doctor($"FAKECUDA_ATTRIBUTES={attribute}=0");
        result.RequireSuccess();
        string[] names = missing.Split(',');
        foreach (string feature in Features)
        {
            Assert.Equal(names.Contains(feature) ? "warn" : "ok", Status(result, $"gpu 0 {feature}"));
        }

        Assert.All(names, name => Assert.Contains(text, Found(result, $"gpu 0 {name}"), StringComparison.Ordinal));
        Assert.All(names, name => Assert.NotEqual("", Find(result, $"gpu 0 {name}").GetProperty("advice").GetString()));
    }

    [Theory]
    [InlineData("cuMemCreate", "vmm", "fail")]
    [InlineData("cuMemExportToShareableHandle", "vmm", "fail")]
    [InlineData("cuMemImportFromShareableHandle", "vmm", "fail")]
    [InlineData("cuIpcGetMemHandle", "legacy ipc", "warn")]
    [InlineData("cuIpcOpenMemHandle", "legacy ipc", "warn")]
    [InlineData("cuStreamWriteValue64", "stream writes", "warn")]
    [InlineData("cuIpcOpenEventHandle", "ipc events", "warn")]
    public void What_the_device_promises_is_tried_and_a_call_that_fails_is_named(string call, string feature, string status)
    {
        CliResult result = Doctor($"FAKECUDA_FAIL={call}:*:CUDA_ERROR_NOT_SUPPORTED");
        Assert.Equal(status == "fail" ? 1 : 0, result.ExitCode);
        Assert.All(Features, name => Assert.Equal(name == feature ? status : "ok", Status(result, $"gpu 0 {name}")));
        Assert.Contains(call, Found(result, $"gpu 0 {feature}"), StringComparison.Ordinal);
        Assert.Contains("CUDA_ERROR_NOT_SUPPORTED (801", Found(result, $"gpu 0 {feature}"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_legacy_handle_between_processes_of_the_same_number_is_explained()
    {
        CliResult result = Doctor("FAKECUDA_FAIL=cuIpcOpenMemHandle:*:CUDA_ERROR_INVALID_CONTEXT");
        result.RequireSuccess();
        Assert.Equal("warn", Status(result, "gpu 0 legacy ipc"));
        Assert.Contains("both PID 1", Found(result, "gpu 0 legacy ipc"), StringComparison.Ordinal);
        Assert.Contains("memory cuda", Find(result, "gpu 0 legacy ipc").GetProperty("advice").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_context_that_breaks_in_one_try_does_not_spoil_the_next_ones()
    {
        CliResult result = Doctor("FAKECUDA_FAIL=cuStreamWriteValue64:*:CUDA_ERROR_ILLEGAL_ADDRESS");
        result.RequireSuccess();
        Assert.All(Features, name => Assert.Equal(name == "stream writes" ? "warn" : "ok", Status(result, $"gpu 0 {name}")));
    }

    [Fact]
    public void Without_a_context_the_device_fails_and_nothing_else_is_tried()
    {
        CliResult result = Doctor("FAKECUDA_FAIL=cuDevicePrimaryCtxRetain:*:CUDA_ERROR_OUT_OF_MEMORY", "FAKECUDA_DEVICES=2");
        Assert.Equal(1, result.ExitCode);
        Assert.Equal(["gpu 0", "gpu 1"], Checks(result).Select(Name).Where(name => name.StartsWith("gpu ", StringComparison.Ordinal)));
        Assert.Contains("CUDA_ERROR_OUT_OF_MEMORY", Found(result, "gpu 0"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void No_driver_is_a_normal_state_unless_a_gpu_is_asked_for(bool isAsked)
    {
        // What cannot be loaded stands in the way of a driver that this machine may have.
        File.WriteAllText(Path.Combine(_directory.Path, "libcuda.so.1"), "no library");
        CliResult result = CliProcess.RunWith(
            [$"LD_LIBRARY_PATH={_directory.Path}"], _directory.Path, ["doctor", "--json", .. isAsked ? (string[])["--gpu"] : []]);
        Assert.Equal(isAsked ? 1 : 0, result.ExitCode);
        Assert.Equal(isAsked ? "fail" : "warn", Status(result, "gpu"));
        Assert.Contains("libcuda.so.1 cannot be opened", Found(result, "gpu"), StringComparison.Ordinal);
        Assert.Contains("software decode, frames in host memory", Found(result, "gpu"), StringComparison.Ordinal);
        Assert.DoesNotContain(Checks(result), check => Name(check).StartsWith("gpu ", StringComparison.Ordinal));
        Assert.NotEqual("", result.Json.GetProperty("gpu").GetProperty("obstacle").GetString());
    }

    [Theory]
    [InlineData("7", "leaves no GPU", "gpu", "warn")]
    [InlineData("1,7", "'1,7' and leaves 1 device of the 2", "visible devices", "warn")]
    [InlineData("1", "'1' and leaves 1 device;", "visible devices", "ok")]
    public void What_cuda_visible_devices_leaves_is_said(string list, string text, string name, string status)
    {
        CliResult result = Doctor($"CUDA_VISIBLE_DEVICES={list}", "FAKECUDA_DEVICES=2");
        result.RequireSuccess();
        Assert.Equal(status, Status(result, name));
        Assert.Contains(text, Found(result, name), StringComparison.Ordinal);
        if (name == "visible devices")
        {
            Assert.Contains(FakeCuda.Uuids[1], Found(result, "gpu 0"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_driver_that_ends_its_process_is_reported_and_ends_nothing_else()
    {
        // The double exits at once when it is told nonsense.
        CliResult result = Doctor("FAKECUDA_DEVICES=many");
        Assert.Equal(1, result.ExitCode);
        Assert.Equal("fail", Status(result, "gpu"));
        Assert.Matches("ended with exit code [1-9][0-9]*, saying 'fakecuda: FAKECUDA_DEVICES", Found(result, "gpu"));
        Assert.Equal("ok", Status(result, "kernel"));
        Assert.Equal(JsonValueKind.Null, result.Json.GetProperty("gpu").ValueKind);
    }

    [Theory]
    [InlineData("KILL", "was ended by SIGKILL")]
    [InlineData("STOP", "did not answer within 25 s and was ended")]
    public void A_try_that_dies_or_hangs_is_reported_and_the_others_go_on(string signal, string text)
    {
        // Every piece of work takes a while, so that the process is met while it works.
        using CliProcess doctor = CliProcess.StartWith(_cuda.With("FAKECUDA_DELAY_US=600000-600000"), _directory.Path, "doctor", "--json");
        using (System.Diagnostics.Process kill = System.Diagnostics.Process.Start("sh", ["-c", $"kill -{signal} {WaitForChild(doctor.Id, "doctor-gpu")}"]))
        {
            kill.WaitForExit();
            Assert.Equal(0, kill.ExitCode);
        }

        CliResult result = doctor.WaitForEnd();
        Assert.Equal(1, result.ExitCode);
        JsonElement lost = Assert.Single(Checks(result), check => check.GetProperty("status").GetString() == "fail");
        Assert.StartsWith("gpu 0", Name(lost), StringComparison.Ordinal);
        Assert.EndsWith(text, lost.GetProperty("found").GetString(), StringComparison.Ordinal);
        if (Name(lost) != "gpu 0")
        {
            Assert.All(Features, name => Assert.Equal(Name(lost) == $"gpu 0 {name}" ? "fail" : "ok", Status(result, $"gpu 0 {name}")));
        }
    }

    [Fact]
    public void A_process_that_is_pid_1_in_a_namespace_of_its_own_hears_what_that_means()
    {
        using CliProcess process = CliProcess.StartOther(
            _directory.Path, "env", [.. _cuda.With(), "unshare", "--pid", "--fork", "--mount-proc", CliProcess.Program, "doctor", "--json"]);
        CliResult result = process.WaitForEnd();
        result.RequireSuccess();
        JsonElement check = Find(result, "pid namespace");
        Assert.Equal("warn", check.GetProperty("status").GetString());
        foreach (string part in (string[])["this process is PID 1", "CUDA_IPC_NAMESPACE", "two containers", "both PID 1"])
        {
            Assert.Contains(part, check.GetProperty("found").GetString(), StringComparison.Ordinal);
        }

        // The processes that try things have other numbers.
        Assert.Equal("ok", Status(result, "gpu 0 legacy ipc"));
        Assert.Equal("ok", Status(result, "gpu 0 vmm"));
    }

    private CliResult Doctor(params string[] variables) => CliProcess.RunWith(_cuda.With(variables), _directory.Path, "doctor", "--json");

    private void MakeLibrary(string source, string name)
    {
        using System.Diagnostics.Process gcc = System.Diagnostics.Process.Start("gcc", ["-shared", "-fPIC", "-o", Path.Combine(_directory.Path, name), source]);
        gcc.WaitForExit();
        Assert.Equal(0, gcc.ExitCode);
    }

    /// <summary>Waits until a process has started another one with this command, and gives that one's number.</summary>
    private static int WaitForChild(int parent, string command)
    {
        long end = Environment.TickCount64 + 90_000;
        while (Environment.TickCount64 < end)
        {
            foreach (string folder in Directory.GetDirectories("/proc").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0])))
            {
                try
                {
                    // pid (name) state ppid ...
                    string stat = File.ReadAllText(Path.Combine(folder, "stat"));
                    if (stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1] == parent.ToString(CultureInfo.InvariantCulture) &&
                        File.ReadAllText(Path.Combine(folder, "cmdline")).Split('\0').Contains(command))
                    {
                        return int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture);
                    }
                }
                catch (IOException)
                {
                    // The process has ended meanwhile.
                }
            }

            Thread.Sleep(5); // The kernel tells nobody but the parent about new processes.
        }

        throw new TimeoutException($"Process {parent} started no '{command}'.");
    }

    private static JsonElement[] Checks(CliResult result) => [.. result.Json.GetProperty("checks").EnumerateArray()];

    private static string Name(JsonElement check) => check.GetProperty("name").GetString()!;

    private static JsonElement Find(CliResult result, string name) => Assert.Single(Checks(result), check => Name(check) == name);

    private static string Found(CliResult result, string name) => Find(result, name).GetProperty("found").GetString()!;

    private static string Status(CliResult result, string name) => Find(result, name).GetProperty("status").GetString()!;
}
