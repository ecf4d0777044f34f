namespace CuFrames.Ffmpeg.Tests;

/// <summary>A program that runs on the double of the CUDA driver. Killed when disposed.</summary>
/// <param name="process">The program.</param>
/// <param name="counts">Where the double writes what it counted, when the program ends by itself.</param>
internal sealed class CudaProgram(FfmpegProcess process, string counts) : IDisposable
{
    public FfmpegProcess Process => process;

    /// <summary>What it writes.</summary>
    public Stream Output => process.Output;

    /// <summary>What it did with CUDA. After its end.</summary>
    public CudaCounts Counts => CudaCounts.Read(counts);

    /// <summary>Whether it called the driver at all. After its end.</summary>
    public bool HasCounts => File.Exists(counts);

    public (int Status, string Output, string Messages) End() => process.End();

    public void Dispose() => process.Dispose();
}
