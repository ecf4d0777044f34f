using System.Globalization;
using CuFrames.Client.Tests;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>What a process holds.</summary>
/// <param name="Descriptors">Open descriptors.</param>
/// <param name="Memory">Bytes of its own in memory, without what it shares with others.</param>
/// <param name="Mappings">Mappings of segments and pages of CuFrames.</param>
internal sealed record ProcessFigures(int Descriptors, long Memory, int Mappings)
{
    public static ProcessFigures Of(int process)
    {
        string memory = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        return new ProcessFigures(
            Directory.EnumerateFileSystemEntries($"/proc/{process}/fd").Count(),
            1024 * long.Parse(memory.Split(':', ' ', '\t').First(part => part.Length > 0 && char.IsDigit(part[0])), CultureInfo.InvariantCulture),
            File.ReadLines($"/proc/{process}/maps").Count(line => line.Contains("memfd:", StringComparison.Ordinal)));
    }

    /// <summary>Compares with a process that has survived others and has as many connections as before. The last connections may still be closing.</summary>
    public void RequireNoGrowth(int process, long memoryBound)
    {
        TestStream.Until(() => Of(process) is { } now && now.Descriptors <= Descriptors && now.Mappings <= Mappings, $"{this} comes back");
        ProcessFigures later = Of(process);
        Assert.True(later.Memory - Memory < memoryBound, $"{this} has become {later}");
    }
}
