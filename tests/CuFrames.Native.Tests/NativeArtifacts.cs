namespace CuFrames.Native.Tests;

/// <summary>
/// What scripts/build-native.sh and tests/native-peers/build.sh have made, and the Python package. In a repository these are artifacts/native,
/// artifacts/native-peers and sources. Away from one, CUFRAMES_NATIVE_ARTIFACTS names a folder with native/, native-peers/ and python/, in which
/// python/ has the package's folder cuframes/ and peer.py.
/// </summary>
internal static class NativeArtifacts
{
    /// <summary>Environment variable with the folder to use instead of the repository's.</summary>
    public const string Variable = "CUFRAMES_NATIVE_ARTIFACTS";

    private static string? Folder { get; } = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? Path.GetFullPath(folder) : null;

    /// <summary>The folder with lib/ and include/.</summary>
    public static string Native => Path.Combine(Folder ?? Path.Combine(Repository.Root, "artifacts"), "native");

    /// <summary>The library, by the name that programs are linked to.</summary>
    public static string Library => Require(Path.Combine(Native, "lib", "libcuframes.so.0"), "scripts/build-native.sh");

    /// <summary>The folder with cuframes.h and cuframes.hpp.</summary>
    public static string Include => Path.GetDirectoryName(Require(Path.Combine(Native, "include", "cuframes.h"), "scripts/build-native.sh"))!;

    /// <summary>The folder that PYTHONPATH needs for the package cuframes.</summary>
    public static string PythonPackages =>
        Path.GetDirectoryName(RequireFolder(Folder is null
            ? Path.Combine(Repository.Root, "sdk", "python-bindings", "cuframes")
            : Path.Combine(Folder, "python", "cuframes")))!;

    /// <summary>The peer that is written in Python.</summary>
    public static string PythonPeer =>
        Require(Folder is null ? Path.Combine(Repository.Root, "tests", "native-peers", "python", "peer.py") : Path.Combine(Folder, "python", "peer.py"), null);

    /// <summary>The interpreter that runs the peer, which needs numpy; the variable CUFRAMES_PYTHON names another one.</summary>
    public static string Python => Environment.GetEnvironmentVariable("CUFRAMES_PYTHON") is { Length: > 0 } path ? path : "/usr/bin/python3";

    /// <summary>A program that tests/native-peers/build.sh makes.</summary>
    /// <param name="name">Its file's name, such as <c>c-peer</c>.</param>
    public static string Peer(string name)
    {
        // Peers find the library beside them: it is what would fail first.
        _ = Library;
        return Require(Path.Combine(Folder ?? Path.Combine(Repository.Root, "artifacts"), "native-peers", name), "tests/native-peers/build.sh");
    }

    private static string Require(string path, string? script) =>
        File.Exists(path) ? path : throw new FileNotFoundException(script is null
            ? $"{path} is missing."
            : $"{path} is missing. Run scripts/build-native.sh, then tests/native-peers/build.sh: {script} makes this file.");

    private static string RequireFolder(string path) =>
        Directory.Exists(path) ? path : throw new DirectoryNotFoundException($"{path} is missing.");
}
