using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Access.Tests;

/// <summary>A process of a user: does what it is told, and says what the daemon answered.</summary>
internal sealed class Actor : IDisposable
{
    private readonly Process _process;

    /// <summary>Starts the process.</summary>
    /// <param name="account">As whom it runs.</param>
    public Actor(Account account)
    {
        // The folder of the tests may be closed to other users: the program is passed as text.
        string program = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "actor.py"));
        _process = Process.Start(new ProcessStartInfo("setpriv", [.. account.Arguments, "/usr/bin/python3", "-c", program])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = "/",
        })!;
        Account = account;
    }

    public Account Account { get; }

    /// <summary>Leases that the last reader of <see cref="Hold"/> was granted that was let in; of frames.</summary>
    public uint? GrantedLeases { get; private set; }

    public int ProcessId => _process.Id;

    /// <summary>Sends one order and waits for its answer.</summary>
    public JsonElement Do(JsonObject order)
    {
        _process.StandardInput.WriteLine(order.ToJsonString());
        _process.StandardInput.Flush();
        string line = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"{Account} has ended");
        JsonElement answer = JsonDocument.Parse(line).RootElement;
        return answer.TryGetProperty("failed", out JsonElement failed)
            ? throw new InvalidOperationException($"{Account}: {order.ToJsonString()}: {failed}")
            : answer;
    }

    /// <summary>Asks for a stream as a reader does.</summary>
    /// <returns>Null: welcome, with the descriptors that come with it; else the refusal.</returns>
    public RefuseMessage? Hello(string socket, bool isForPackets = false)
    {
        JsonElement answer = Do(new JsonObject { ["do"] = "hello", ["path"] = socket, ["message"] = HelloText(isForPackets) });
        byte[] bytes = Convert.FromHexString(answer.GetProperty("answer").GetString()!);
        if ((MessageType)answer.GetProperty("type").GetInt32() == MessageType.Welcome)
        {
            Assert.Equal(2, answer.GetProperty("descriptors").GetInt32());
            return null;
        }

        Assert.Equal((MessageType.Refuse, 0), ((MessageType)answer.GetProperty("type").GetInt32(), answer.GetProperty("descriptors").GetInt32()));
        return RefuseMessage.ReadRefuse(bytes.AsSpan(MessageHeaderLayout.Size));
    }

    /// <summary>Becomes a reader several times over, and stays.</summary>
    /// <returns>For each, null if welcome, else the refusal.</returns>
    public List<RefuseMessage?> Hold(string socket, int count, uint leases = 1, bool isForPackets = false)
    {
        JsonElement answer = Do(new JsonObject { ["do"] = "hold", ["path"] = socket, ["message"] = HelloText(isForPackets, leases), ["count"] = count });
        List<RefuseMessage?> found = [];
        foreach (byte[] bytes in answer.GetProperty("answers").EnumerateArray().Select(text => Convert.FromHexString(text.GetString()!)))
        {
            bool isWelcome = (MessageType)bytes[5] == MessageType.Welcome;
            found.Add(isWelcome ? null : RefuseMessage.ReadRefuse(bytes.AsSpan(MessageHeaderLayout.Size)));
            GrantedLeases = isWelcome && !isForPackets ? WelcomeMessage.Read(bytes.AsSpan(MessageHeaderLayout.Size)).Leases : GrantedLeases;
        }

        return found;
    }

    /// <summary>Reads bytes from a tap's socket.</summary>
    public byte[] Tap(string socket, int count) =>
        Do(new JsonObject { ["do"] = "tap", ["path"] = socket, ["count"] = count }).GetProperty("content").GetBytesFromBase64();

    /// <summary>Sends a request by HTTP.</summary>
    public (int Status, byte[] Content) Web(int port, string path, string? token = null, string? body = null, int count = 1 << 20)
    {
        JsonObject headers = body is null ? [] : new JsonObject { ["Content-Type"] = "application/json" };
        if (token is not null)
        {
            headers["Authorization"] = $"Bearer {token}";
        }

        JsonElement answer = Do(new JsonObject { ["do"] = "web", ["port"] = port, ["method"] = body is null ? "GET" : "POST", ["path"] = path, ["headers"] = headers, ["body"] = body, ["count"] = count });
        return (answer.GetProperty("status").GetInt32(), answer.GetProperty("content").GetBytesFromBase64());
    }

    /// <summary>Makes a call of the control API.</summary>
    /// <returns>The status's name and text.</returns>
    public (string Status, string Text) Call(string target, string method, string message = "", string? token = null, string? ca = null)
    {
        JsonElement answer = Do(new JsonObject { ["do"] = "call", ["target"] = target, ["method"] = method, ["message"] = message, ["token"] = token, ["ca"] = ca });
        return (answer.GetProperty("status").GetString()!, answer.GetProperty("text").GetString()!);
    }

    /// <summary>Publishes a stream.</summary>
    /// <returns>Empty, or the name of the error.</returns>
    public string Publish(string folder, string key) => Do(new JsonObject { ["do"] = "publish", ["folder"] = folder, ["key"] = key }).GetProperty("error").GetString()!;

    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    private static string HelloText(bool isForPackets, uint leases = 1)
    {
        byte[] buffer = new byte[1024];
        HelloMessage hello = new() { Program = "actor", IsForPackets = isForPackets, Leases = leases, Domains = isForPackets ? [] : [DomainOffer.Host] };
        return Convert.ToHexString(hello.Write(buffer, 1));
    }
}
