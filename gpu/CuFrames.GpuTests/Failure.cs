namespace CuFrames.GpuTests;

/// <summary>A test that failed, or was skipped.</summary>
/// <param name="Test">Its name.</param>
/// <param name="Text">Message and place.</param>
internal sealed record Failure(string Test, string Text);
