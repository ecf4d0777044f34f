using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;

namespace CuFrames.Control.Tests;

/// <summary>The program <c>cuframes</c>. What it writes as JSON is turned into the form that protobuf's JSON has, so that the same checks hold.</summary>
internal sealed class CliCaller(string socket) : ControlCaller
{
    /// <summary>Counters: protobuf's JSON has numbers of 64 bits as texts.</summary>
    private static readonly string[] LongNumbers =
        ["published", "dropped", "evicted", "refused", "memoryBytes", "oldest", "id", "lag", "taken", "missed", "sequence", "frames", "residentBytes", "memoryInUseBytes"];

    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "cuframes");

    public override async Task<CallResult> CallAsync(string method, string request, double? timeout, int? take, Action<JsonElement>? onMessage)
    {
        JsonElement fields = JsonDocument.Parse(request).RootElement;
        string? Text(string name) => fields.TryGetProperty(name, out JsonElement value) ? value.ToString() : null;
        bool Flag(string name) => fields.TryGetProperty(name, out JsonElement value) && value.GetBoolean();
        string key = Text("key") ?? "";
        string? input = null;
        using TemporaryDirectory pictures = new();
        string picture = Path.Combine(pictures.Path, "picture");
        string[] arguments = method switch
        {
            "GetDaemon" => ["daemon"],
            "TakeSnapshot" =>
            [
                "snapshot", Text("stream")!, picture, "--control", socket, "--format", FormatOf(Text("format")),
                .. Text("maxWidth") is { } width ? ["--max-width", width] : Array.Empty<string>(),
                .. timeout < 10 ? ["--timeout", timeout.Value.ToString(CultureInfo.InvariantCulture)] : Array.Empty<string>(),
            ],
            "ListCameras" => ["camera", "list"],
            "GetCamera" => ["camera", "show", key],
            "AddCamera" => ["camera", "add", key, "--settings", "-"],
            "UpdateCamera" => ["camera", "update", key, "--settings", "-"],
            "RemoveCamera" => ["camera", "remove", key],
            "RestartCamera" => ["camera", "restart", key],
            "GetStatistics" => ["top", "--count", "1", "--interval", "0.5", .. Text("camera") is { } camera ? [camera] : Array.Empty<string>()],
            "SetLogLevel" => ["log-level", Text("level") switch { "SEVERITY_ERROR" => "error", "SEVERITY_WARNING" => "warning", "SEVERITY_INFORMATION" => "info", _ => "none" }],
            "ListReaders" => ["readers", .. Text("stream") is { } stream ? [stream] : Array.Empty<string>()],
            "EvictReader" =>
            [
                "evict", Text("stream")!, Text("id")!, .. Flag("readsPackets") ? ["--packets"] : Array.Empty<string>(), .. Text("reason") is { } reason ? ["--reason", reason] : Array.Empty<string>(),
            ],
            "WatchEvents" =>
            [
                "events", "--past", Text("past") ?? "0", .. Flag("pastOnly") ? ["--once"] : Array.Empty<string>(), .. Text("camera") is { } camera ? [camera] : Array.Empty<string>(),
            ],
            _ => throw new ArgumentException($"cuframes has no {method}"),
        };
        if (method is "AddCamera" or "UpdateCamera")
        {
            input = Text("settings") ?? "";
        }

        // SIGINT has its usual effect, also when the tests run in the background of a shell.
        ProcessStartInfo start = new("env", ["--default-signal=INT", Program, .. arguments, "--json"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["CUFRAMES_DIR"] = Path.GetDirectoryName(socket);
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        List<JsonElement> messages = [];
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            JsonNode message = Translate(JsonNode.Parse(line)!, "", method)!;
            if (method == "TakeSnapshot")
            {
                message["picture"] = Convert.ToBase64String(await File.ReadAllBytesAsync(picture));
            }

            messages.Add(JsonSerializer.SerializeToElement(message));
            onMessage?.Invoke(messages[^1]);
            if (messages.Count == take)
            {
                Signals.Send(process.Id, Signals.Interrupt);
            }
        }

        await process.WaitForExitAsync();
        string text = (await errors).Trim();
        if (process.ExitCode == 0)
        {
            Assert.Equal("", text);

            // Whoever interrupts it has what he asked for.
            return messages.Count == take ? new CallResult(RpcStatus.Cancelled, "", messages) : new CallResult(RpcStatus.Ok, "", messages);
        }

        Assert.StartsWith("cuframes: ", text, StringComparison.Ordinal);
        string[] parts = text["cuframes: ".Length..].Split(": ", 2);
        if (parts[0] == "USAGE")
        {
            Assert.Equal(2, process.ExitCode);
            return new CallResult(RpcStatus.InvalidArgument, parts[1], messages);
        }

        RpcStatus status = Enum.Parse<RpcStatus>(parts[0].Replace("_", "", StringComparison.Ordinal), ignoreCase: true);
        Assert.Equal(ExitCodeOf(status), process.ExitCode);
        return new CallResult(status, parts[1], messages);
    }

    public override void Dispose()
    {
    }

    /// <summary>A format as the command takes it: what protobuf does not know stays as it is.</summary>
    private static string FormatOf(string? format) => format switch
    {
        null or "PICTURE_FORMAT_JPEG" => "jpeg",
        "PICTURE_FORMAT_PNG" => "png",
        _ => format,
    };

    /// <summary>As docs/cli.md says.</summary>
    private static int ExitCodeOf(RpcStatus status) => status switch
    {
        RpcStatus.InvalidArgument => 2,
        RpcStatus.NotFound or RpcStatus.Unavailable => 3,
        RpcStatus.PermissionDenied or RpcStatus.Unauthenticated or RpcStatus.FailedPrecondition or RpcStatus.AlreadyExists => 4,
        RpcStatus.DeadlineExceeded => 5,
        _ => 1,
    };

    private static JsonNode? Translate(JsonNode? node, string name, string method)
    {
        switch (node)
        {
            case JsonObject content:
                JsonObject translated = [];
                foreach ((string key, JsonNode? value) in content)
                {
                    string camel = Camel(key);
                    if (method == "GetDaemon" && name.Length == 0 && key is "uptime_seconds" or "log_level")
                    {
                        // The program has seconds and its own words.
                        (string field, JsonNode translation) = key == "uptime_seconds"
                            ? ("uptimeMs", (JsonNode)((ulong)(value!.GetValue<double>() * 1000)).ToString(CultureInfo.InvariantCulture))
                            : ("logLevel", value!.GetValue<string>() switch { "info" => "SEVERITY_INFORMATION", string level => $"SEVERITY_{level.ToUpperInvariant()}" });
                        translated[field] = translation;
                        continue;
                    }

                    JsonNode? inner = Translate(value, camel, method);

                    // Protobuf leaves out what is as it is without being said.
                    if (inner is not null && inner.ToJsonString() is not ("0" or "\"\"" or "\"0\"" or "false" or "[]"))
                    {
                        translated[camel] = inner;
                    }
                }

                // top tells the stream's figures and its rates side by side, the message one in the other.
                if (method == "GetStatistics" && name == "streams")
                {
                    translated = new JsonObject
                    {
                        ["stream"] = translated.DeepClone(),
                        ["framesPerSecond"] = translated["fps"]?.DeepClone(),
                        ["droppedPerSecond"] = translated["droppedPerSecond"]?.DeepClone(),
                    };
                }

                return translated;
            case JsonArray items:
                return new JsonArray([.. items.Select(item => Translate(item, name, method))]);
            case JsonValue value when value.GetValueKind() == JsonValueKind.Number && LongNumbers.Contains(name):
                return value.GetValue<ulong>().ToString(CultureInfo.InvariantCulture);
            case JsonValue value when name is "state" or "origin" or "severity":
                return $"{(name == "state" ? "CAMERA_STATE" : name.ToUpperInvariant())}_{value.GetValue<string>().ToUpperInvariant()}";
            default:
                return node?.DeepClone();
        }
    }

    private static string Camel(string name) =>
        string.Concat(name.Split('_').Select((part, index) => index == 0 || part.Length == 0 ? part : char.ToUpperInvariant(part[0]) + part[1..]));
}
