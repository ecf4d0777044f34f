namespace CuFrames.Fuzz;

/// <summary>
/// A sequence of inputs for one target that depends on the seed alone: own generator, own corpus, own outcomes. Lanes share nothing, so how
/// many threads run them changes nothing.
/// </summary>
internal sealed class Lane
{
    /// <summary>Most inputs with new outcomes that a lane goes on from.</summary>
    private const int MostFound = 2048;

    private readonly FuzzTarget _target;
    private readonly List<byte[]> _corpus;
    private readonly OutcomeMap _outcomes;
    private readonly FuzzRandom _random;
    private readonly InputBuffer _input;

    public Lane(FuzzTarget target, LaneMemory memory, IReadOnlyList<byte[]> corpus, OutcomeMap outcomes, ulong seed)
    {
        _target = target;
        _corpus = [.. corpus];
        _outcomes = outcomes.Clone();
        _random = new FuzzRandom(seed);
        _input = new InputBuffer(memory);
    }

    /// <summary>Inputs that showed a new outcome.</summary>
    public List<byte[]> Found { get; } = [];

    public int Outcomes => _outcomes.Count;

    /// <summary>The input that was tried last.</summary>
    public byte[] LastInput => _input.Bytes.ToArray();

    public void Run(long count)
    {
        for (long i = 0; i < count; i++)
        {
            // Half of the time from what this lane found, where there is something new around.
            int from = Found.Count > 0 && _random.OneIn(2) ? _corpus.Count - 1 - _random.Below(Found.Count) : _random.Below(_corpus.Count);
            _input.Set(_corpus[from]);
            do
            {
                _target.Mutate(_input, _random, _corpus[_random.Below(_corpus.Count)]);
            }
            while (_random.OneIn(2));

            _outcomes.Begin();
            _target.Run(_input.Bytes, _outcomes);
            if (_outcomes.IsNew && Found.Count < MostFound)
            {
                byte[] copy = _input.Bytes.ToArray();
                _corpus.Add(copy);
                Found.Add(copy);
            }
        }
    }
}
