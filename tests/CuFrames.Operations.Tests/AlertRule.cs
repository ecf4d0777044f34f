namespace CuFrames.Operations.Tests;

/// <summary>A rule of alerts.yaml.</summary>
internal sealed record AlertRule(string Name, string Expression, string Severity, string For);
