using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>Compares what was read with a vector's fields, both ways.</summary>
internal static class Fields
{
    /// <summary>Compares bytes, read by the offsets of a layout class, with the fields of a vector.</summary>
    /// <param name="layout">The class with the offsets.</param>
    /// <param name="bytes">The bytes.</param>
    /// <param name="expected">An object with a property for each field.</param>
    /// <param name="comparedElsewhere">Fields that the object does not have, or holds in another form.</param>
    public static void Compare(Type layout, ReadOnlySpan<byte> bytes, JsonElement expected, params string[] comparedElsewhere)
    {
        List<string> names = [];
        foreach (FieldInfo constant in layout.GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsDefined(typeof(WireFieldAttribute))))
        {
            string name = SnakeCase(constant.Name[..^"Offset".Length]);
            if (comparedElsewhere.Contains(name))
            {
                continue;
            }

            names.Add(name);
            WireFieldAttribute mark = constant.GetCustomAttribute<WireFieldAttribute>()!;
            ReadOnlySpan<byte> field = bytes.Slice((int)constant.GetRawConstantValue()!, mark.Size);
            JsonElement value = expected.GetProperty(name);
            switch (mark.Type)
            {
                case "u8" or "u16" or "u32":
                    Assert.Equal(JsonValueKind.Number, value.ValueKind);
                    Equal(Integer(field), value);
                    break;
                case "u64":
                    Assert.Equal(JsonValueKind.String, value.ValueKind);
                    Equal(Integer(field), value);
                    break;
                case "i64":
                    Assert.Equal(JsonValueKind.String, value.ValueKind);
                    Equal((long)Integer(field), value);
                    break;
                case "bytes":
                    Equal(field.ToArray(), value);
                    break;
                default:
                    throw new InvalidOperationException($"{layout.Name}.{constant.Name} has the type {mark.Type}, which no vector has.");
            }
        }

        string[] all = [.. expected.EnumerateObject().Select(property => property.Name).Except(comparedElsewhere)];
        Assert.Equal(all.Order(StringComparer.Ordinal), names.Order(StringComparer.Ordinal));
    }

    /// <summary>Compares the properties of what was read with the fields of a vector.</summary>
    public static void Compare(object description, JsonElement expected)
    {
        foreach (JsonProperty field in expected.EnumerateObject().Where(field => field.Name != "reserved"))
        {
            Equal(FieldNames.ValueOf(description, field.Name), field.Value);
        }
    }

    public static void Equal(object found, JsonElement expected)
    {
        switch (found)
        {
            case byte[] bytes:
                Assert.Equal(expected.GetString(), Convert.ToHexStringLower(bytes));
                break;
            case Guid guid:
                Assert.Equal(expected.GetString(), Convert.ToHexStringLower(guid.ToByteArray(bigEndian: true)));
                break;
            case string text:
                Assert.Equal(expected.GetString(), text);
                break;
            case bool flag:
                Assert.Equal(expected.GetBoolean(), flag);
                break;
            default:
                object number = found is Enum ? Convert.ChangeType(found, Enum.GetUnderlyingType(found.GetType()), CultureInfo.InvariantCulture) : found;
                string digits = expected.ValueKind == JsonValueKind.String ? expected.GetString()! : expected.GetRawText();
                Assert.Equal(digits, Convert.ToString(number, CultureInfo.InvariantCulture));
                break;
        }
    }

    private static ulong Integer(ReadOnlySpan<byte> field)
    {
        ulong value = 0;
        for (int i = field.Length - 1; i >= 0; i--)
        {
            value = (value << 8) | field[i];
        }

        return value;
    }

    private static string SnakeCase(string name) => string.Concat(name.Select((c, i) =>
        char.IsAsciiLetterUpper(c) ? (i > 0 ? "_" : "") + char.ToLowerInvariant(c) : c.ToString()));
}
