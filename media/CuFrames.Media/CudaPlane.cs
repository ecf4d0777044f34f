namespace CuFrames.Media;

/// <summary>One plane of a picture in device memory. The memory belongs to whoever made the value.</summary>
/// <param name="Address">CUDA device pointer to the first byte of the first row, in the context of the source's stream.</param>
/// <param name="Pitch">Bytes from one row to the next; at least the bytes of a row.</param>
public readonly record struct CudaPlane(ulong Address, long Pitch);
