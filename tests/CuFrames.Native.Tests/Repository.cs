namespace CuFrames.Native.Tests;

/// <summary>The folder that holds CuFrames.sln.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "CuFrames.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException(
            $"No folder above {AppContext.BaseDirectory} holds CuFrames.sln. Away from a repository, {NativeArtifacts.Variable} must name a folder.");
    }
}
