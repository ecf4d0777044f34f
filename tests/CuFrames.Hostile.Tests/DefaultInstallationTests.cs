using System.Diagnostics;
using System.Net;
using System.Text.Json;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Hostile.Tests;

/// <summary>What a machine offers to others after CuFrames was installed on it, with the configuration that the package brings: nothing.</summary>
public sealed class DefaultInstallationTests
{
    private const int Ports = 65_535;

    [Fact]
    public void No_port_is_open_to_another_machine()
    {
        using JsonDocument result = Scan("");
        JsonElement[] sockets = [.. result.RootElement.GetProperty("sockets").EnumerateArray()];
        Assert.NotEmpty(sockets);
        foreach (JsonElement socket in sockets)
        {
            IPAddress address = IPAddress.Parse(socket.GetProperty("address").GetString()!);
            Assert.True(IPAddress.IsLoopback(address), $"the daemon has a socket that others can reach: {socket}");
        }

        Assert.Contains(sockets, socket => socket.GetProperty("port").GetInt32() == 8476);
        AssertScans(result, []);
    }

    /// <summary>The scan finds what is open: else its silence says nothing.</summary>
    [Fact]
    public void A_port_that_the_configuration_opens_is_found()
    {
        using TemporaryDirectory folder = new();
        string key = Path.Combine(folder.Path, "key.pem");
        string certificate = Path.Combine(folder.Path, "certificate.pem");
        using (Process openssl = Process.Start("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate]))
        {
            openssl.WaitForExit();
            Assert.Equal(0, openssl.ExitCode);
        }

        File.SetUnixFileMode(key, UnixFileMode.UserRead);
        using JsonDocument result = Scan($"web: {{listen: \"[::]:8476\", certificate: {certificate}, key: {key}}}\n");
        AssertScans(result, [8476]);
    }

    private static void AssertScans(JsonDocument result, int[] expected)
    {
        int known = result.RootElement.GetProperty("known").GetInt32();
        foreach (JsonProperty scan in result.RootElement.GetProperty("scans").EnumerateObject())
        {
            int[] open = [.. scan.Value.GetProperty("open").EnumerateArray().Select(port => port.GetInt32())];
            Assert.Equal([.. expected.Append(known).Order()], open.Order());
            Assert.Equal(Ports, open.Length + scan.Value.GetProperty("refused").GetInt32());
        }
    }

    private static JsonDocument Scan(string more)
    {
        using TemporaryDirectory folder = new();
        string file = Path.Combine(folder.Path, "cuframes.yaml");
        File.WriteAllText(file, File.ReadAllText(Path.Combine(Repository.Root, "packaging", "debian", "cuframes.yaml")) + more);
        ProcessStartInfo start = new(
            "/usr/bin/python3", [Path.Combine(AppContext.BaseDirectory, "scan.py"), DaemonProcess.Program, "--config", file, "--directory", Path.Combine(folder.Path, "run")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string name in (string[])["JOURNAL_STREAM", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"])
        {
            start.Environment.Remove(name);
        }

        start.Environment["STATE_DIRECTORY"] = Path.Combine(folder.Path, "state");
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"scan.py ended with {process.ExitCode}:\n{errors.Result}");
        return JsonDocument.Parse(output);
    }
}
