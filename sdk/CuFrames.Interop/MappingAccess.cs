namespace CuFrames.Interop;

/// <summary>What a mapping may be used for.</summary>
public enum MappingAccess
{
    /// <summary>Reading only; a write through it is a fatal fault of the writer.</summary>
    ReadOnly,

    /// <summary>Reading and writing.</summary>
    ReadWrite,
}
