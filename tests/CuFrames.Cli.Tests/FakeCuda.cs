using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

/// <summary>The double of the CUDA driver (tests/fakecuda), for programs that are started with these variables.</summary>
internal sealed class FakeCuda : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    /// <summary>UUIDs of its devices by index.</summary>
    public static string[] Uuids { get; } = ["GPU-fa4ecada-0000-4000-8000-000000000000", "GPU-fa4ecada-0000-4000-8000-000000000001"];

    /// <summary>Variables that let a program find the double, and others.</summary>
    /// <param name="more">More of them, as <c>name=value</c>.</param>
    public string[] With(params string[] more) =>
        [$"LD_LIBRARY_PATH={Folder}", $"FAKECUDA_DIR={_directory.Path}", .. more];

    /// <summary>The folder with the double's libcuda.so.1.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "fakecuda");

    public void Dispose() => _directory.Dispose();
}
