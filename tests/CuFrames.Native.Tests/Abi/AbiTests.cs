using System.Text;
using System.Text.RegularExpressions;

namespace CuFrames.Native.Tests.Abi;

/// <summary>The binary interface changes only on purpose: what the library exports and needs, and what the header promises.</summary>
public sealed partial class AbiTests
{
    private const string Node = "CUFRAMES_0";

    // Debian 12, and what the tag of the Python wheel says.
    private static readonly Version NewestGlibc = new(2, 36);

    [Fact]
    public void The_library_exports_the_functions_of_the_header_and_nothing_else()
    {
        string[] exported = [.. Exports().Where(name => name != Node).Order(StringComparer.Ordinal)];
        Assert.All(exported, name => Assert.EndsWith($"@@{Node}", name, StringComparison.Ordinal));
        Assert.Equal(
            NativeHeader.Read().Functions.Keys.Order(StringComparer.Ordinal),
            exported.Select(name => name.Split('@')[0]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_interface_is_the_one_that_is_written_down()
    {
        NativeHeader header = NativeHeader.Read();
        StringBuilder text = new();
        foreach (string line in Exports().Order(StringComparer.Ordinal)
            .Concat(header.Functions.Values.Order(StringComparer.Ordinal))
            .Concat(header.Callbacks)
            .Concat(AbiProbe.Run(header).Lines))
        {
            text.Append(line).Append('\n');
        }

        string path = Path.Combine(Repository.Root, "tests", "CuFrames.Native.Tests", "Abi", "Abi.txt");
        if (Environment.GetEnvironmentVariable("CUFRAMES_ACCEPT_API") == "1")
        {
            File.WriteAllText(path, text.ToString());
        }

        string[] before = File.ReadAllText(path).Split('\n');
        string[] now = text.ToString().Split('\n');
        string changes = string.Join('\n', before.Except(now).Select(line => "- " + line).Concat(now.Except(before).Select(line => "+ " + line)));
        Assert.True(before.SequenceEqual(now),
            $"The binary interface has changed. Programs that are compiled go on working only if nothing is removed or moved: see the head of " +
            $"cuframes.h. If it is meant so, run this test with CUFRAMES_ACCEPT_API=1 and commit {path}.\n{changes}");
    }

    [Fact]
    public void The_name_carries_the_major_version_and_links_lead_to_it()
    {
        string[] dynamic = Dynamic();
        Assert.Contains(dynamic, line => line.Contains("(SONAME)", StringComparison.Ordinal) && line.Contains("[libcuframes.so.0]", StringComparison.Ordinal));
        string folder = Path.GetDirectoryName(NativeArtifacts.Library)!;
        Assert.Equal("libcuframes.so.0", new FileInfo(Path.Combine(folder, "libcuframes.so")).LinkTarget);
        Assert.Equal("libcuframes.so.0.1.0", new FileInfo(NativeArtifacts.Library).LinkTarget);
    }

    [Fact]
    public void It_needs_the_C_library_of_Debian_12_and_nothing_else()
    {
        string[] needed = [.. Dynamic().Where(line => line.Contains("(NEEDED)", StringComparison.Ordinal)).Select(line => Bracket().Match(line).Groups[1].Value)];
        Assert.Subset(new HashSet<string> { "libc.so.6", "ld-linux-x86-64.so.2", "libm.so.6" }, needed.ToHashSet());
        string[] undefined = Tool.Run("nm", "-D", "--undefined-only", NativeArtifacts.Library).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] versions = [.. undefined.Select(line => GlibcVersion().Match(line)).Where(match => match.Success).Select(match => match.Groups[1].Value).Distinct()];
        Assert.NotEmpty(versions);
        Assert.All(versions, version => Assert.True(Version.Parse(version) <= NewestGlibc, $"A symbol needs glibc {version}."));

        // What is not of the C library is weak, or would keep a program from starting.
        Assert.All(undefined, line => Assert.True(GlibcVersion().IsMatch(line) || line.TrimStart().StartsWith("w ", StringComparison.Ordinal), line));
    }

    [Fact]
    public void It_stays_in_memory_and_is_bound_at_once()
    {
        string flags = string.Join('\n', Dynamic().Where(line => line.Contains("FLAGS", StringComparison.Ordinal)));
        Assert.Contains("NODELETE", flags, StringComparison.Ordinal);
        Assert.Contains("NOW", flags, StringComparison.Ordinal);
        Assert.DoesNotContain(Dynamic(), line => line.Contains("(TEXTREL)", StringComparison.Ordinal));
        Assert.DoesNotContain(".symtab", Tool.Run("readelf", "-SW", NativeArtifacts.Library), StringComparison.Ordinal);
        Assert.DoesNotMatch(@"GNU_STACK.*RWE", Tool.Run("readelf", "-lW", NativeArtifacts.Library));
    }

    [Theory]
    [InlineData("gcc", "-std=c99", "c")]
    [InlineData("gcc", "-std=c11", "c")]
    [InlineData("g++", "-std=c++11", "c++")]
    [InlineData("g++", "-std=c++17", "c++")]
    public void The_header_stands_alone_in_every_language(string compiler, string standard, string language) =>
        _ = Tool.Run(compiler, standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-missing-field-initializers", "-fsyntax-only", "-x", language, Path.Combine(NativeArtifacts.Include, "cuframes.h"));

    private static IEnumerable<string> Exports() => Tool.Run("nm", "-D", "--defined-only", NativeArtifacts.Library)
        .Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2]);

    private static string[] Dynamic() => Tool.Run("readelf", "-dW", NativeArtifacts.Library).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    [GeneratedRegex(@"\[(.*)\]")]
    private static partial Regex Bracket();

    [GeneratedRegex(@"@GLIBC_([\d.]+)")]
    private static partial Regex GlibcVersion();
}
