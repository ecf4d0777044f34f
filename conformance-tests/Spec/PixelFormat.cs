namespace CuFrames.Conformance.Spec;

/// <summary>A row of table 10.1.</summary>
/// <param name="FourCc">The value on the wire.</param>
/// <param name="Name">The name in the document.</param>
/// <param name="Subsampling">Columns and rows of luma for each sample of chroma: 1 or 2.</param>
/// <param name="SampleBytes">For each plane, bytes of one of its samples; a pair of U and V counts as one.</param>
/// <param name="IsTensor">Three channels behind each other in one plane, without padding and crop (10.2).</param>
internal sealed record PixelFormat(uint FourCc, string Name, int Subsampling, int[] SampleBytes, bool IsTensor = false)
{
    public static readonly PixelFormat Nv12 = new(0x3231564E, "NV12", 2, [1, 2]);

    public static readonly PixelFormat Gray8 = new(0x20203852, "GRAY8", 1, [1]);

    public static readonly IReadOnlyList<PixelFormat> All =
    [
        Nv12,
        new(0x32315559, "I420", 2, [1, 1, 1]),
        new(0x30313050, "P010", 2, [2, 4]),
        Gray8,
        new(0x34324742, "RGB24", 1, [3]),
        new(0x34324752, "BGR24", 1, [3]),
        new(0x34324241, "RGBA", 1, [4]),
        new(0x34325241, "BGRA", 1, [4]),
        new(0x50424752, "RGBP", 1, [1], IsTensor: true),
        new(0x50524742, "BGRP", 1, [1], IsTensor: true),
        new(0x48504752, "RGBP_F16", 1, [2], IsTensor: true),
        new(0x48504742, "BGRP_F16", 1, [2], IsTensor: true),
        new(0x46504752, "RGBP_F32", 1, [4], IsTensor: true),
        new(0x46504742, "BGRP_F32", 1, [4], IsTensor: true),
    ];

    public int PlaneCount => SampleBytes.Length;

    public static PixelFormat? Find(uint fourCc) => All.FirstOrDefault(format => format.FourCc == fourCc);

    /// <summary>Bytes of a row of a plane that holds this many columns of the picture.</summary>
    public long RowBytes(int plane, long columns) => SampleBytes[plane] * Divided(plane, columns);

    /// <summary>Rows of a plane that holds this many rows of the picture.</summary>
    public long Rows(int plane, long rows) => Divided(plane, rows) * (IsTensor ? 3 : 1);

    private long Divided(int plane, long count) => plane == 0 ? count : (count + Subsampling - 1) / Subsampling;
}
