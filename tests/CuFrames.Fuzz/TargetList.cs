using CuFrames.Fuzz.Targets;

namespace CuFrames.Fuzz;

internal static class TargetList
{
    private static readonly (string Name, Func<FuzzTarget> Make)[] All =
    [
        ("tlv", () => new TlvTarget()),
        ("messages", () => new MessagesTarget()),
        ("picture", () => new PictureTarget()),
        ("control-block", () => new ControlBlockTarget()),
        ("page", () => new PageTarget()),
        ("packet-block", () => new PacketBlockTarget()),
        ("rpc", () => new RpcTarget()),
    ];

    public static IReadOnlyList<string> Names { get; } = [.. All.Select(entry => entry.Name)];

    public static FuzzTarget Make(int number) => All[number].Make();
}
