namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>The subscriber under test.</summary>
internal sealed class SubscriberContext(IReadOnlyList<string> command) : IDisposable
{
    private readonly Lazy<Stage> _stage = new(() => new Stage(command));

    /// <summary>The stage of the checks that run one after the other.</summary>
    public Stage Stage => _stage.Value;

    /// <summary>A stage with a command of its own, for a check that runs beside the others.</summary>
    public Stage OpenStage() => new(command);

    public void Dispose()
    {
        if (_stage.IsValueCreated)
        {
            _stage.Value.Dispose();
        }
    }
}
