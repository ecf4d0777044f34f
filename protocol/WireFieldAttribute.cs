namespace CuFrames.Protocol;

/// <summary>Marks a constant as the offset of a field of a wire layout and names the field's type as docs/protocol.md does.</summary>
/// <remarks>A test reads these marks and compares them with the document's tables: the constants are the one source of truth.</remarks>
[AttributeUsage(AttributeTargets.Field)]
public sealed class WireFieldAttribute : Attribute
{
    /// <summary>Marks a field.</summary>
    /// <param name="type">The type's name in the document, such as <c>u32</c>.</param>
    /// <param name="size">The field's size in bytes.</param>
    public WireFieldAttribute(string type, int size)
    {
        Type = type;
        Size = size;
    }

    /// <summary>The type's name in the document.</summary>
    public string Type { get; }

    /// <summary>Size in bytes.</summary>
    public int Size { get; }
}
