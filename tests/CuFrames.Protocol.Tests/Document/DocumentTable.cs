namespace CuFrames.Protocol.Tests.Document;

/// <summary>A table of docs/protocol.md that a <c>layout</c> or <c>enum</c> comment announces.</summary>
/// <param name="Kind"><c>layout</c> or <c>enum</c>.</param>
/// <param name="Name">The name in the comment.</param>
/// <param name="Size">The size in the comment; -1 for an enum.</param>
/// <param name="Line">Line of the comment, from 1.</param>
/// <param name="Rows">One dictionary per row: the column's heading and the cell's text.</param>
internal sealed record DocumentTable(string Kind, string Name, int Size, int Line, IReadOnlyList<IReadOnlyDictionary<string, string>> Rows)
{
    public override string ToString() => $"{Kind} {Name} (docs/protocol.md:{Line})";
}
