using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using CuFrames.Conformance.Spec;

namespace CuFrames.Conformance.Tests;

/// <summary>The suite and the vectors come from the document, not from the code that they judge.</summary>
public sealed partial class IndependenceTests
{
    [Fact]
    public void The_suite_does_not_use_what_it_judges()
    {
        string[] names = [.. typeof(Limits).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name!)];
        Assert.Contains("CuFrames.Interop", names);
        Assert.DoesNotContain("CuFrames.Protocol", names);
        Assert.DoesNotContain("CuFrames.Client", names);
    }

    [Fact]
    public void The_vectors_are_what_their_script_writes()
    {
        string script = Path.Combine(Executables.Repository, "protocol", "test-vectors", "generate.py");
        using Process process = Process.Start(new ProcessStartInfo("python3", [script, "--check"]) { RedirectStandardError = true, UseShellExecute = false })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
    }

    [Theory]
    [InlineData("MessageType", typeof(MessageType))]
    [InlineData("TlvType", typeof(TlvType))]
    [InlineData("NoticeKind", typeof(NoticeKind))]
    [InlineData("Delivery", typeof(Delivery))]
    [InlineData("ErrorCode", typeof(ErrorCode))]
    public void The_numbers_of_the_suite_are_those_of_the_document(string table, Type type)
    {
        Dictionary<string, ulong> documented = Table($"<!-- enum: {table} -->")
            .ToDictionary(row => row[1], row => ulong.Parse(row[0], CultureInfo.InvariantCulture));
        Assert.NotEmpty(documented);
        foreach (string name in Enum.GetNames(type))
        {
            Assert.Equal(documented[name], Convert.ToUInt64(Enum.Parse(type, name), CultureInfo.InvariantCulture));
        }
    }

    [Theory]
    [InlineData(typeof(Layout.DomainOffer))]
    [InlineData(typeof(Layout.StreamDescription))]
    [InlineData(typeof(Layout.ControlBlock))]
    [InlineData(typeof(Layout.Slot))]
    [InlineData(typeof(Layout.FrameMeta))]
    [InlineData(typeof(Layout.Picture))]
    [InlineData(typeof(Layout.SubscriberPage))]
    [InlineData(typeof(Layout.SegmentDescription))]
    public void The_offsets_of_the_suite_are_those_of_the_document(Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        Dictionary<string, int> documented = Table($"<!-- layout: {type.Name} size=")
            .ToDictionary(row => row[3], row => int.Parse(row[0], CultureInfo.InvariantCulture));
        int compared = 0;
        foreach (FieldInfo field in type.GetFields().Where(field => field.FieldType == typeof(int) && field.Name != "Size"))
        {
            string name = Words().Replace(field.Name, "_$0").TrimStart('_').ToLowerInvariant();
            if (documented.TryGetValue(name, out int offset))
            {
                Assert.True(offset == (int)field.GetRawConstantValue()!, $"{type.Name}.{field.Name}");
                compared++;
            }
        }

        Assert.True(compared >= 3, $"Only {compared} names of {type.Name} are in the document's table.");
    }

    [GeneratedRegex("[A-Z]")]
    private static partial Regex Words();

    /// <summary>The cells of the table that follows a comment.</summary>
    private static List<string[]> Table(string comment)
    {
        string[] lines = File.ReadAllLines(Path.Combine(Executables.Repository, "docs", "protocol.md"));
        int start = Array.FindIndex(lines, line => line.StartsWith(comment, StringComparison.Ordinal));
        Assert.True(start >= 0, $"The document has no '{comment}'.");
        return lines.Skip(start + 3)
            .TakeWhile(line => line.StartsWith('|'))
            .Select(line => line.Split('|', StringSplitOptions.TrimEntries)[1..^1])
            .ToList();
    }
}
