using CuFrames.TestKit;

namespace CuFrames.Native.Tests.BlackBox;

/// <summary>A copy of a peer and of the library in a folder that every user can read, wherever the repository lies.</summary>
internal sealed class PeerCopy(string language) : IDisposable
{
    private readonly TemporaryDirectory _folder = new();

    /// <summary>Starts the copy as another user, who is in no group but the one of the same number.</summary>
    public PeerProcess StartAs(string user, params string[] arguments)
    {
        if (language == Languages.CSharp)
        {
            // Loads what it needs before it changes users, which no copy of the runtime is needed for.
            return PeerProcess.Start([.. arguments, "--user", user, "--group", user]);
        }

        string library = Copy(NativeArtifacts.Library, "native/lib");
        List<string> command = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"];
        Dictionary<string, string> environment = new(Languages.Environment(language));
        if (language == Languages.Python)
        {
            CopyPython(Path.GetDirectoryName(NativeArtifacts.PythonPeer)!, "peer");
            CopyPython(Path.Combine(NativeArtifacts.PythonPackages, "cuframes"), "python/cuframes");
            command.AddRange([NativeArtifacts.Python, Path.Combine(_folder.Path, "peer", Path.GetFileName(NativeArtifacts.PythonPeer))]);
            environment["PYTHONPATH"] = Path.Combine(_folder.Path, "python");
            environment["CUFRAMES_LIBRARY"] = library;
        }
        else
        {
            command.Add(Copy(Languages.Command(language)[0], "native-peers"));
        }

        return PeerProcess.StartCommand(command, environment, arguments);
    }

    public void Dispose() => _folder.Dispose();

    private string Copy(string file, string folder)
    {
        string copy = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.Path, folder)).FullName, Path.GetFileName(file));
        File.Copy(file, copy);
        return copy;
    }

    private void CopyPython(string source, string folder)
    {
        foreach (string file in Directory.EnumerateFiles(source, "*.py"))
        {
            _ = Copy(file, folder);
        }
    }
}
