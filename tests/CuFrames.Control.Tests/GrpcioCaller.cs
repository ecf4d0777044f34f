using System.Diagnostics;
using System.Text.Json;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;

namespace CuFrames.Control.Tests;

/// <summary>Google's gRPC for Python, in a process of its own.</summary>
internal sealed class GrpcioCaller : ControlCaller
{
    private readonly TemporaryDirectory _generated = new();
    private readonly Process _process;

    public GrpcioCaller(string socket)
    {
        string protocol = Path.Combine(Repository.Root, "protocol");
        using (Process protoc = Process.Start("protoc", [$"--python_out={_generated.Path}", $"--proto_path={protocol}", "control.proto"]))
        {
            protoc.WaitForExit();
            Assert.Equal(0, protoc.ExitCode);
        }

        // Debian's own Python, for which Debian's grpcio is.
        _process = Process.Start(new ProcessStartInfo("/usr/bin/python3", [Path.Combine(AppContext.BaseDirectory, "grpc_caller.py"), socket, _generated.Path])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
    }

    public override async Task<CallResult> CallAsync(string method, string request, double? timeout, int? take, Action<JsonElement>? onMessage)
    {
        using JsonDocument content = JsonDocument.Parse(request);
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(new { method, request = content.RootElement, timeout, take }));
        await _process.StandardInput.FlushAsync();
        while (true)
        {
            string line = await _process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("grpc_caller.py has ended");
            JsonElement answer = JsonDocument.Parse(line).RootElement;
            if (answer.TryGetProperty("message", out JsonElement message))
            {
                onMessage?.Invoke(message);
                continue;
            }

            string name = answer.GetProperty("status").GetString()!.Replace("_", "", StringComparison.Ordinal);
            return new CallResult(Enum.Parse<RpcStatus>(name, ignoreCase: true), answer.GetProperty("text").GetString() ?? "", [.. answer.GetProperty("messages").EnumerateArray()]);
        }
    }

    public override void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _generated.Dispose();
    }
}
