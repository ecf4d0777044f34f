using System.IO.MemoryMappedFiles;

namespace CuFrames.Fuzz;

/// <summary>
/// The memory of a lane's current input: a shared mapping of a file, so that the input is still there when the code under test has
/// brought the process down.
/// </summary>
internal sealed unsafe class LaneMemory : IDisposable
{
    /// <summary>Longest input: a message of 64 KiB, and room for what must be refused.</summary>
    public const int MaxInput = 65536 + 512;

    private const int HeadSize = 16;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _address;

    public LaneMemory(string path)
    {
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Create, mapName: null, HeadSize + MaxInput);
        _view = _file.CreateViewAccessor();
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _address);
    }

    public byte* Data => _address + HeadSize;

    public int Capacity => MaxInput;

    public int Length
    {
        get => ((int*)_address)[0];
        set => ((int*)_address)[0] = value;
    }

    /// <summary>Number of the target, in the order of <see cref="TargetList"/>, plus one; zero while nothing runs.</summary>
    public int Target
    {
        get => ((int*)_address)[1];
        set => ((int*)_address)[1] = value;
    }

    /// <summary>What a file of a dead process holds.</summary>
    /// <returns>The target's number, -1 when nothing ran, and the input.</returns>
    public static (int Target, byte[] Input) Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int length = BitConverter.ToInt32(bytes);
        return (BitConverter.ToInt32(bytes, 4) - 1, bytes[HeadSize..(HeadSize + Math.Clamp(length, 0, MaxInput))]);
    }

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }
}
