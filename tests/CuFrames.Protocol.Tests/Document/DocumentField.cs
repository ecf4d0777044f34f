using System.Globalization;

namespace CuFrames.Protocol.Tests.Document;

/// <summary>A row of a layout's table.</summary>
internal sealed record DocumentField(int Offset, int Size, string Type, string Name, string Meaning)
{
    public static DocumentField Of(IReadOnlyDictionary<string, string> row) => new(
        int.Parse(row["offset"], NumberStyles.None, CultureInfo.InvariantCulture),
        int.Parse(row["size"], NumberStyles.None, CultureInfo.InvariantCulture),
        row["type"],
        row["name"],
        row["meaning"]);
}
