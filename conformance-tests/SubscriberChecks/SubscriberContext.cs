namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>The subscriber under test.</summary>
/// <param name="command">Its command.</param>
/// <param name="name">Name of the socket that it connects to: <see cref="Frames"/> or <see cref="Packets"/>.</param>
internal sealed class SubscriberContext(IReadOnlyList<string> command, string name = SubscriberContext.Frames) : IDisposable
{
    public const string Frames = "conformance";
    public const string Packets = "conformance+packets";

    private readonly Lock _lock = new();
    private readonly List<Stage> _stages = [];
    private Stage? _stage;

    /// <summary>The stage of the checks that run one after the other.</summary>
    public Stage Stage => _stage ??= OpenStage();

    /// <summary>A stage with a command of its own, for a check that runs beside the others. It lasts as long as this object.</summary>
    public Stage OpenStage()
    {
        var stage = new Stage(command, name);
        lock (_lock)
        {
            _stages.Add(stage);
        }

        return stage;
    }

    /// <summary>Ends the commands and removes the directories while checks still run. Any thread; the process must end then.</summary>
    public void Abandon()
    {
        lock (_lock)
        {
            _stages.ForEach(stage => stage.Abandon());
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _stages.ForEach(stage => stage.Dispose());
            _stages.Clear();
        }
    }
}
