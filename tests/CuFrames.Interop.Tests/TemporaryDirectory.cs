namespace CuFrames.Interop.Tests;

/// <summary>A directory of its own for one test, open to all users, removed at the end.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    internal TemporaryDirectory()
    {
        Root = Directory.CreateTempSubdirectory("cuframes-interop-").FullName;
        File.SetUnixFileMode(
            Root,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute |
            UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
    }

    internal string Root { get; }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    internal string PathOf(string name) => Path.Combine(Root, name);
}
