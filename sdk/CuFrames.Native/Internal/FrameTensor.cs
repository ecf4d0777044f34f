using System.Runtime.InteropServices;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>Makes DLPack tensors of planes. One block of malloc holds all of a tensor; the shim's deleter frees it.</summary>
internal static unsafe class FrameTensor
{
    private const int MaxDimensions = 3;

    // Written once at the start, before any other call: functions of the shim.
    private static nint _deleter;
    private static nint _versionedDeleter;

    public static void Use(nint deleter, nint versionedDeleter)
    {
        _deleter = deleter;
        _versionedDeleter = versionedDeleter;
    }

    /// <summary>Makes a tensor.</summary>
    /// <param name="plane">Place and size.</param>
    /// <param name="format">The picture's format.</param>
    /// <param name="index">The plane's number.</param>
    /// <param name="device">Where it lies.</param>
    /// <param name="owner">What the deleter releases.</param>
    /// <param name="isVersioned">A DLManagedTensorVersioned, or a DLManagedTensor.</param>
    public static nint Make(NativePlane plane, PixelFormat format, int index, DlDevice device, TensorOwner owner, bool isVersioned)
    {
        int head = isVersioned ? sizeof(DlManagedTensorVersioned) : sizeof(DlManagedTensor);
        int extents = 2 * MaxDimensions * sizeof(long);
        byte* block = (byte*)NativeMemory.AllocZeroed((nuint)(head + extents + sizeof(TensorOwner)));
        long* shape = (long*)(block + head);
        TensorOwner* context = (TensorOwner*)(block + head + extents);
        *context = owner;
        DlTensor tensor = Describe(plane, format, index, shape, shape + MaxDimensions);
        tensor.Device = device;
        if (isVersioned)
        {
            *(DlManagedTensorVersioned*)block = new DlManagedTensorVersioned
            {
                Major = DlManagedTensorVersioned.CurrentMajor,
                ManagerContext = (nint)context,
                Deleter = _versionedDeleter,
                Flags = DlManagedTensorVersioned.ReadOnly,
                Tensor = tensor,
            };
        }
        else
        {
            *(DlManagedTensor*)block = new DlManagedTensor { Tensor = tensor, ManagerContext = (nint)context, Deleter = _deleter };
        }

        return (nint)block;
    }

    /// <summary>Shape (rows, columns), or (rows, columns, samples) where samples are interleaved, or (3, rows, columns) of a tensor.</summary>
    private static DlTensor Describe(NativePlane plane, PixelFormat format, int index, long* shape, long* strides)
    {
        int samples = SamplesOf(format, index);
        int bytes = PixelFormats.SampleBytes(format);
        bool isTensor = PixelFormats.IsTensor(format);
        shape[0] = plane.Rows;
        shape[1] = plane.RowBytes / (samples * bytes);
        strides[0] = plane.Pitch / bytes;
        strides[1] = samples;
        if (samples > 1)
        {
            shape[2] = samples;
            strides[2] = 1;
        }
        else if (isTensor)
        {
            (shape[0], shape[1], shape[2]) = (3, plane.Rows / 3, shape[1]);
            (strides[0], strides[1], strides[2]) = (shape[1] * shape[2], shape[2], 1);
        }

        return new DlTensor
        {
            Data = plane.Data,
            Dimensions = samples > 1 || isTensor ? 3 : 2,
            DataType = new DlDataType { Code = PixelFormats.IsFloat(format) ? DlDataType.Float : DlDataType.UnsignedInteger, Bits = (byte)(bytes * 8), Lanes = 1 },
            Shape = shape,
            Strides = strides,
        };
    }

    private static int SamplesOf(PixelFormat format, int plane) => format switch
    {
        PixelFormat.Nv12 or PixelFormat.P010 => plane == 0 ? 1 : 2,
        PixelFormat.Rgb24 or PixelFormat.Bgr24 => 3,
        PixelFormat.Rgba or PixelFormat.Bgra => 4,
        _ => 1,
    };
}
