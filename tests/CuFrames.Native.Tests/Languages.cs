namespace CuFrames.Native.Tests;

/// <summary>The languages that the suite is run through, for theories.</summary>
internal static class Languages
{
    public const string CSharp = "C#";
    public const string C = "C";
    public const string Cpp = "C++";
    public const string Python = "Python";

    private static readonly string[] Memories = ["host", "cuda", "cuda-ipc"];

    public static IReadOnlyList<string> Names { get; } = [CSharp, C, Cpp, Python];

    /// <summary>Each language.</summary>
    public static TheoryData<string> Each => [.. Names];

    /// <summary>Each language with each kind of memory that a publisher can have. Those with a GPU's are run on a GPU host, too.</summary>
    public static TheoryData<string, string> EachWithEachMemory =>
    [
        .. from language in Names
           from memory in Memories
           select memory == Memories[0] ? new TheoryDataRow<string, string>(language, memory) : new TheoryDataRow<string, string>(language, memory).WithTrait("needs", "gpu"),
    ];

    /// <summary>Each language with each kind of memory of a GPU and each way in which a release behind a stream ends a lease.</summary>
    public static TheoryData<string, string, string> EachWithEachFence => new(
        from language in Names from memory in Memories[1..] from fence in (string[])["stream", "event", "cpu"] select (language, memory, fence));

    /// <summary>What starts the peer that is written in a language.</summary>
    public static IReadOnlyList<string> Command(string language) => language switch
    {
        CSharp => [TestKit.PeerProcess.ExecutablePath],
        C => [NativeArtifacts.Peer("c-peer")],
        Cpp => [NativeArtifacts.Peer("cpp-peer")],
        Python => [NativeArtifacts.Python, NativeArtifacts.PythonPeer],
        _ => throw new ArgumentException($"There is no peer in '{language}'.", nameof(language)),
    };

    /// <summary>What the peer's environment needs.</summary>
    public static IReadOnlyDictionary<string, string> Environment(string language)
    {
        Dictionary<string, string> variables = [];
        if (language == Python)
        {
            variables["PYTHONPATH"] = NativeArtifacts.PythonPackages;
            variables["PYTHONDONTWRITEBYTECODE"] = "1";
            variables["CUFRAMES_LIBRARY"] = NativeArtifacts.Library;
        }

        return variables;
    }
}
