using System.Reflection;
using CuFrames.Protocol.Tests.Document;

namespace CuFrames.Protocol.Tests;

/// <summary>From the document's name of a field to the property that holds it.</summary>
internal static class FieldNames
{
    /// <summary>Properties whose name says more, or less, than the field's.</summary>
    private static readonly Dictionary<string, string> Renamed = new()
    {
        ["device_uuid"] = "Device",
        ["segment_generation"] = "Generation",
        ["lease_timeout_ms"] = "LeaseTimeoutMilliseconds",
    };

    public static object ValueOf(object description, string field)
    {
        string name = Renamed.GetValueOrDefault(field, ProtocolDocument.PascalCase(field));
        PropertyInfo property = description.GetType().GetProperty(name) ?? throw new InvalidOperationException($"{description.GetType().Name} has no {name}.");
        return property.GetValue(description)!;
    }
}
