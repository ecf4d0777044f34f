namespace CuFrames.Demo.Internal;

/// <summary>A stream of the demo.</summary>
internal sealed record StreamResult(string Key, double Fps, string Format);
