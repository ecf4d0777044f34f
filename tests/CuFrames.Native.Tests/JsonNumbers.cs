using System.Text.Json;

namespace CuFrames.Native.Tests;

/// <summary>Figures of the peers' answers.</summary>
internal static class JsonNumbers
{
    public static int Number(this JsonElement element, string name) => element.GetProperty(name).GetInt32();

    public static long Long(this JsonElement element, string name) => element.GetProperty(name).GetInt64();
}
