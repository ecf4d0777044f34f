using System.Diagnostics;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>protocol/test-vectors as a whole.</summary>
public sealed class VectorFilesTests
{
    [Fact]
    public void Every_file_has_a_test() => Assert.Equal(
        [
            "control-blocks.json", "frame-meta.json", "index-entries.json", "message-headers.json", "messages.json",
            "packet-blocks.json", "packet-descriptors.json", "packet-messages.json", "pictures.json", "slots.json", "stream-keys.json", "subscriber-pages.json", "tlvs.json",
            "track-parameters.json",
        ],
        Directory.EnumerateFiles(VectorFile.Folder, "*.json", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(VectorFile.Folder, path)).Order(StringComparer.Ordinal));

    [Fact]
    public async Task The_files_are_what_the_generator_writes()
    {
        ProcessStartInfo start = new("python3", [Path.Combine(VectorFile.Folder, "generate.py"), "--check"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process generator = Process.Start(start)!;
        Task<string> errors = generator.StandardError.ReadToEndAsync();
        string output = await generator.StandardOutput.ReadToEndAsync();
        await generator.WaitForExitAsync();
        Assert.True(generator.ExitCode == 0, output + await errors);
    }
}
