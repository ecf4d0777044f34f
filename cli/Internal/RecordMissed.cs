namespace CuFrames.Cli.Internal;

/// <summary>Packets that were published and are in no file, by reason.</summary>
/// <param name="Overwritten">The ring came round before they were read.</param>
/// <param name="NoKey">They come before the first key frame of a file, and cannot be decoded.</param>
/// <param name="Damaged">The container refused them.</param>
/// <param name="NotCarried">They are of a data track that the container cannot carry.</param>
/// <param name="Failed">They were on their way into a file that could not be written on.</param>
internal sealed record RecordMissed(long Overwritten, long NoKey, long Damaged, long NotCarried, long Failed)
{
    public long Total => Overwritten + NoKey + Damaged + NotCarried + Failed;
}
