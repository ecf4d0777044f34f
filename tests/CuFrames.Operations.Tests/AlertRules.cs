using CuFrames.Daemon.Tests;
using YamlDotNet.RepresentationModel;

namespace CuFrames.Operations.Tests;

/// <summary>Reads alerts.yaml.</summary>
internal static class AlertRules
{
    public static IReadOnlyList<AlertRule> Read()
    {
        YamlStream stream = [];
        using StreamReader reader = new(Path.Combine(Repository.Root, "monitoring", "prometheus", "alerts.yaml"));
        stream.Load(reader);
        return [.. ((YamlSequenceNode)stream.Documents[0].RootNode["groups"]).SelectMany(group => (YamlSequenceNode)group["rules"]).Select(rule => new AlertRule(
            Text(rule["alert"]),
            Text(rule["expr"]),
            Text(rule["labels"]["severity"]),
            ((YamlMappingNode)rule).Children.TryGetValue(new YamlScalarNode("for"), out YamlNode? time) ? Text(time) : "-"))];
    }

    private static string Text(YamlNode node) => ((YamlScalarNode)node).Value!;
}
