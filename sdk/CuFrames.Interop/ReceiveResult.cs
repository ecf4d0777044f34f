namespace CuFrames.Interop;

/// <summary>The outcome of one receive call.</summary>
public readonly struct ReceiveResult
{
    internal ReceiveResult(ReceiveStatus status, int length)
    {
        Status = status;
        Length = length;
    }

    /// <summary>What was found.</summary>
    public ReceiveStatus Status { get; }

    /// <summary>Number of bytes that the packet put into the buffer; 0 if there was none.</summary>
    public int Length { get; }
}
