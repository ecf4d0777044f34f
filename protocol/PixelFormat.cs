namespace CuFrames.Protocol;

/// <summary>Pixel formats as DRM FourCCs (docs/protocol.md 10.1).</summary>
public enum PixelFormat : uint
{
    /// <summary>Not known.</summary>
    Unknown = 0,

    /// <summary>8 bit 4:2:0: Y plane, interleaved UV plane.</summary>
    Nv12 = 0x3231564E,

    /// <summary>8 bit 4:2:0: Y, U and V planes.</summary>
    I420 = 0x32315559,

    /// <summary>10 bit 4:2:0 in the upper bits of 16-bit words: Y plane, interleaved UV plane.</summary>
    P010 = 0x30313050,

    /// <summary>8 bit luma.</summary>
    Gray8 = 0x20203852,

    /// <summary>Bytes R, G, B.</summary>
    Rgb24 = 0x34324742,

    /// <summary>Bytes B, G, R.</summary>
    Bgr24 = 0x34324752,

    /// <summary>Bytes R, G, B, A.</summary>
    Rgba = 0x34324241,

    /// <summary>Bytes B, G, R, A.</summary>
    Bgra = 0x34325241,

    /// <summary>Tensor (3, height, width) of bytes: all of R, then G, then B. One plane without padding.</summary>
    Rgbp = 0x50424752,

    /// <summary>Tensor (3, height, width) of bytes: all of B, then G, then R. One plane without padding.</summary>
    Bgrp = 0x50524742,

    /// <summary>Tensor (3, height, width) of IEEE 754 half precision numbers: all of R, then G, then B. One plane without padding.</summary>
    RgbpF16 = 0x48504752,

    /// <summary>Tensor (3, height, width) of IEEE 754 half precision numbers: all of B, then G, then R. One plane without padding.</summary>
    BgrpF16 = 0x48504742,

    /// <summary>Tensor (3, height, width) of IEEE 754 single precision numbers: all of R, then G, then B. One plane without padding.</summary>
    RgbpF32 = 0x46504752,

    /// <summary>Tensor (3, height, width) of IEEE 754 single precision numbers: all of B, then G, then R. One plane without padding.</summary>
    BgrpF32 = 0x46504742,
}
