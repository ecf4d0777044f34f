using System.Globalization;
using System.Text.Json;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>A peer in one of the languages that goes step by step: tests/native-peers/README.md.</summary>
internal sealed class StepPeer : IDisposable
{
    private readonly string _language;

    /// <param name="language">One of <see cref="Languages"/>.</param>
    /// <param name="memory"><c>host</c>, or a memory of the GPU: then the peer finds a driver.</param>
    /// <param name="arguments">The peer's command and options.</param>
    private StepPeer(string language, string memory, string[] arguments)
    {
        _language = language;
        Process = PeerProcess.StartCommand(Languages.Command(language), EnvironmentOf(language, memory), arguments);
        Process.Expect("ready");
    }

    public PeerProcess Process { get; }

    /// <summary>Starts a reader.</summary>
    public static StepPeer Subscriber(string language, string memory, string directory, string key, params string[] options) =>
        new(language, memory, ["subscriber", "--dir", directory, "--key", key, .. options]);

    /// <summary>Starts a publisher.</summary>
    public static StepPeer Publisher(string language, string memory, string directory, string key, params string[] options) =>
        new(language, memory, ["publisher", "--dir", directory, "--key", key, "--memory", memory, .. options]);

    /// <summary>The environment of a peer in a language, with the double of the driver unless its frames lie in main memory.</summary>
    public static Dictionary<string, string> EnvironmentOf(string language, string memory)
    {
        Dictionary<string, string> variables = new(Languages.Environment(language));
        if (memory != "host")
        {
            foreach ((string name, string value) in TestCuda.ChildEnvironment)
            {
                variables[name] = value;
            }

            // Long enough that a wait that is missing shows.
            variables["FAKECUDA_DELAY_US"] = "0-150";
        }

        return variables;
    }

    /// <summary>Does a step that succeeds.</summary>
    /// <returns>Its answer, of the kind that is the step's first word unless another one is told.</returns>
    public JsonElement Do(string step, string? kind = null)
    {
        JsonElement answer = Process.Ask(step);
        Assert.True(answer.GetProperty("kind").GetString() == (kind ?? step.Split(' ')[0]), $"{_language}, {step}: {answer}");
        return answer;
    }

    /// <summary>Does a step that fails.</summary>
    /// <returns>The error's code.</returns>
    public ErrorCode Fail(string step) => (ErrorCode)FailWithCode(step);

    /// <summary>As <see cref="Fail"/>, for codes that are the native library's own.</summary>
    public int FailWithCode(string step)
    {
        JsonElement answer = Process.Ask(step);
        Assert.True(answer.GetProperty("kind").GetString() == "error", $"{_language}, {step}: {answer}");
        Assert.NotEqual("", answer.GetProperty("text").GetString());
        return answer.GetProperty("code").GetInt32();
    }

    /// <summary>Takes a frame and requires that all of it is right.</summary>
    public JsonElement Next()
    {
        JsonElement frame = Do("next 20000", "frame");
        Assert.True(frame.GetProperty("fault").ValueKind == JsonValueKind.Null, $"{_language}: {frame}");
        return frame;
    }

    /// <summary>Takes a frame and requires that it is this one.</summary>
    public JsonElement Next(ulong sequence, ulong missed)
    {
        JsonElement frame = Next();
        Assert.Equal((sequence, missed), (frame.GetProperty("sequence").GetUInt64(), frame.GetProperty("missed").GetUInt64()));
        return frame;
    }

    public void Release(ulong sequence, bool byCpu = false) =>
        Do(string.Create(CultureInfo.InvariantCulture, $"release {sequence}{(byCpu ? " cpu" : "")}"));

    /// <summary>Takes frame and releases it.</summary>
    public void Pass(ulong sequence, ulong missed)
    {
        Next(sequence, missed);
        Release(sequence);
    }

    /// <summary>Looks at all held frames and at copies that were made behind their releases, and requires that they are right.</summary>
    public void RequireHeld(int count)
    {
        JsonElement looks = Do("verify");
        Assert.True((count, 0, 0) == (looks.Number("held"), looks.Number("torn"), looks.Number("lost")), $"{_language}: {looks}");
        Settle();
    }

    public void Settle() => Assert.Equal(0, Do("settle").Number("torn"));

    /// <summary>Names and codes of the events so far.</summary>
    public List<(string Name, int Code)> Events() =>
        [.. Do("events").GetProperty("events").EnumerateArray().Select(happened => (happened.GetProperty("name").GetString()!, happened.Number("code")))];

    public JsonElement Info() => Do("info");

    /// <summary>A publisher's figures.</summary>
    public JsonElement Statistics() => Info().GetProperty("statistics");

    public void Exit()
    {
        int code = Process.Exit();
        Assert.True(code == 0, $"{_language} ended with {code}. {Process.Errors()}");
    }

    public void Dispose() => Process.Dispose();
}
