namespace CuFrames.Client;

/// <summary>One plane of a frame in device memory. Not to be used by work that is enqueued after the frame's release.</summary>
/// <param name="Address">CUDA device pointer to the first visible byte, valid in the context of <see cref="FrameSubscriber.Cuda"/>.</param>
/// <param name="Pitch">Bytes from one row to the next, a multiple of 64.</param>
/// <param name="RowBytes">Bytes that a row holds, without padding.</param>
/// <param name="Rows">Rows.</param>
public readonly record struct DevicePlane(ulong Address, int Pitch, int RowBytes, int Rows);
