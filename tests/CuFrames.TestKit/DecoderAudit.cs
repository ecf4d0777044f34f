using System.Runtime.InteropServices;

namespace CuFrames.TestKit;

/// <summary>
/// The decoders that a process has open, counted by decoder_audit.c as the process calls libavcodec. An audit is of one process, which is
/// started with <see cref="Environment"/>.
/// </summary>
public sealed class DecoderAudit
{
    private readonly string _counts;

    /// <summary>Makes an audit.</summary>
    /// <param name="folder">Where the file with the counts may lie.</param>
    public DecoderAudit(string folder) => _counts = Path.Combine(folder, "decoder-audit");

    /// <summary>What the process needs in its environment.</summary>
    public IReadOnlyDictionary<string, string?> Environment => new Dictionary<string, string?>
    {
        ["LD_AUDIT"] = Path.Combine(AppContext.BaseDirectory, "libdecoder_audit.so"),
        ["DECODER_AUDIT"] = _counts,
    };

    /// <summary>Counts now.</summary>
    /// <exception cref="InvalidOperationException">The audit library was told of no function: its counts would mean nothing.</exception>
    public DecoderCounts Read()
    {
        ReadOnlySpan<long> values = MemoryMarshal.Cast<byte, long>(File.ReadAllBytes(_counts));
        return values is [> 0, ..]
            ? new DecoderCounts(values[1], values[2], values[3], values[4])
            : throw new InvalidOperationException("The audit library was told of no function of libavcodec: its counts mean nothing.");
    }
}
