using System.Globalization;
using System.Text.Json;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>A process that opens, reads, publishes and closes a thousand times, and moves a hundred thousand frames and packets, is as large after it as before.</summary>
public sealed class LeakTests(ITestOutputHelper output)
{
    /// <summary>
    /// Bytes that memory may grow by after as many rounds of warming up. The runtime's heap is collected now and then, not after each round; a page
    /// for each of a thousand rounds would be more, and 32 bytes for each of a hundred thousand frames.
    /// </summary>
    private const long MemoryBound = 3 << 20;

    /// <summary>Bytes that the address space may grow by: less than one heap of a thread, or a page for each of a thousand rounds.</summary>
    private const long AddressBound = 4 << 20;

    [Theory]
    [InlineData(Languages.C, "host", 1000, 100_000)]
    [InlineData(Languages.Python, "host", 1000, 100_000)]
    [InlineData(Languages.C, "cuda", 300, 10_000)]
    [InlineData(Languages.Python, "cuda", 300, 10_000)]
    public void Nothing_grows_over_cycles_and_frames(string language, string memory, int rounds, int frames)
    {
        using TemporaryDirectory directory = new();
        string[] command = language == Languages.C
            ? [NativeArtifacts.Peer("c-leaks")]
            : [NativeArtifacts.Python, Path.Combine(Repository.Root, "tests", "native-peers", "leaks", "leaks.py")];
        Dictionary<string, string> environment = StepPeer.EnvironmentOf(language, memory);
        environment["FAKECUDA_DELAY_US"] = "0";

        // Each thread of the double would reserve a heap, and how many there are at once is chance.
        environment["MALLOC_ARENA_MAX"] = "1";
        ToolResult result = Tool.RunWith(
            environment, command[0],
            [.. command.Skip(1), directory.Path, memory, rounds.ToString(CultureInfo.InvariantCulture), frames.ToString(CultureInfo.InvariantCulture)]);
        output.WriteLine(result.Output);
        Assert.True(result.Status == 0, result.Errors);
        List<JsonElement> lines = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        string[] kinds = ["subscribers", "publishers", "frames", .. memory == "host" ? (string[])["packet-subscribers", "packet-publishers", "packets"] : []];
        Assert.Equal(kinds, lines.Select(line => line.GetProperty("kind").GetString()));
        foreach (JsonElement line in lines)
        {
            JsonElement before = line.GetProperty("before");
            JsonElement after = line.GetProperty("after");
            Assert.True((before.Long("descriptors"), before.Long("threads")) == (after.Long("descriptors"), after.Long("threads")), line.ToString());
            Assert.True(after.Long("virtual") - before.Long("virtual") < AddressBound, line.ToString());
            if (memory == "host")
            {
                RequireMemory(before, after, line.ToString());
            }
        }

        // What rounds with a GPU leave to the collector is tens of megabytes until it collects: only the first and the last figures are compared.
        RequireMemory(lines[memory == "host" ? ^1 : 0].GetProperty("before"), lines[^1].GetProperty("after"), result.Output);

        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
    }

    private static void RequireMemory(JsonElement before, JsonElement after, string text)
    {
        Assert.True(after.Long("resident") - before.Long("resident") < MemoryBound, text);
        Assert.True(after.Long("anonymous") - before.Long("anonymous") < MemoryBound, text);
    }
}
