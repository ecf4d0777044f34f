namespace CuFrames.Cli.Internal;

/// <summary>One line of <c>doctor</c>.</summary>
/// <param name="Name">What was looked at.</param>
/// <param name="Status"><c>ok</c>, <c>warn</c> or <c>fail</c>.</param>
/// <param name="Found">What was found.</param>
/// <param name="Advice">What to do; empty when nothing has to be done.</param>
/// <param name="Device">UUID of the GPU that it is about, as nvidia-smi prints it; null when it is about none.</param>
internal sealed record Check(string Name, string Status, string Found, string Advice, string? Device = null)
{
    public static Check Ok(string name, string found) => new(name, "ok", found, "");

    public static Check Warn(string name, string found, string advice) => new(name, "warn", found, advice);

    public static Check Fail(string name, string found, string advice) => new(name, "fail", found, advice);
}
