using System.Text;
using System.Threading.Channels;
using CuFrames.Control;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.State;

/// <summary>
/// Adds, changes and removes cameras, one change after the other. A change goes this way: (1) the state file is read again, as somebody may have mended or
/// changed it; (2) everything is put together as it would be, and checked; (3) the file is replaced; (4) the control thread makes the cameras so. What is
/// refused has changed nothing. Any thread; the control thread does only the last step, so no disk holds it up.
/// </summary>
/// <param name="current">The set that runs.</param>
/// <param name="adopt">Makes the cameras those of a set, on the control thread.</param>
/// <param name="log">The log.</param>
internal sealed class CameraChanges(Func<CameraSet> current, Func<CameraSet, Task> adopt, Log log)
{
    /// <summary>Bytes of a camera's settings (control.proto says so).</summary>
    private const int MaxSettings = 64 << 10;

    /// <summary>Stands before line and column of a problem.</summary>
    private const string Place = "settings";

    /// <summary>Has an item while a change is made: whoever wants to make one puts it in, and waits for room.</summary>
    private readonly Channel<bool> _oneAtATime = Channel.CreateBounded<bool>(1);

    /// <summary>Adds a camera.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="settings">Its settings, as YAML.</param>
    /// <param name="cancellation">Gives up. What is in the file by then is made so all the same.</param>
    /// <exception cref="RpcException">Nothing was changed: why.</exception>
    internal Task AddAsync(string key, string settings, CancellationToken cancellation) => ChangeAsync(
        set =>
        {
            if (set.Find(key) is { } camera)
            {
                throw new RpcException(RpcStatus.AlreadyExists, camera.Origin == CameraOrigin.Configuration
                    ? $"There is a camera '{key}' already, in {set.ConfigurationPath}."
                    : $"There is a camera '{key}' already. Update it, or remove it first.");
            }

            if (set.All.Count >= set.File.Limits.Cameras)
            {
                throw new RpcException(
                    RpcStatus.ResourceExhausted,
                    $"Camera '{key}' would be one more than limits.cameras, which is {set.File.Limits.Cameras}; there are {set.All.Count}. Remove one, or raise the limit in {set.ConfigurationPath}.");
            }

            return set.State.With(key, Read(set, key, settings, before: null));
        },
        cancellation);

    /// <summary>Gives a camera other settings.</summary>
    /// <inheritdoc cref="AddAsync"/>
    internal Task UpdateAsync(string key, string settings, CancellationToken cancellation) => ChangeAsync(
        set => set.State.With(key, Read(set, key, settings, FindAdded(set, key).Settings)), cancellation);

    /// <summary>Removes a camera.</summary>
    /// <inheritdoc cref="AddAsync"/>
    internal Task RemoveAsync(string key, CancellationToken cancellation) => ChangeAsync(set => set.State.Without(FindAdded(set, key).Key), cancellation);

    /// <summary>No camera has the key.</summary>
    internal static RpcException NotFound(CameraSet set, string key) =>
        new(RpcStatus.NotFound, $"There is no camera '{key}'. There are: {string.Join(", ", set.All.Select(camera => camera.Key).DefaultIfEmpty("none"))}.");

    /// <summary>Why cameras cannot be changed, and what to do; empty: they can.</summary>
    internal static string ProblemOf(StateContent state) =>
        state.Directory is null
            ? "Added cameras are kept in a directory, and there is none that this daemon could write: name one with 'state' in the configuration or with $STATE_DIRECTORY " +
                $"(install -d -m 0700 -o {Environment.UserName} /var/lib/cuframes)."
        : state.Problems.Count > 0
            ? $"Added cameras are kept in {state.FilePath}, which cannot be used: {string.Join(" ", state.Problems)} Mend the file or remove it; nothing is changed until then."
        : "";

    private static ConfiguredCamera FindAdded(CameraSet set, string key)
    {
        ConfiguredCamera camera = set.Find(key) ?? throw NotFound(set, key);
        return camera.Origin == CameraOrigin.Api
            ? camera
            : throw new RpcException(RpcStatus.FailedPrecondition, $"Camera '{key}' is in {set.ConfigurationPath}: change it there. The daemon reads the file again by itself.");
    }

    private static ConfigurationNode Read(CameraSet set, string key, string settings, ConfigurationNode? before)
    {
        int length = Encoding.UTF8.GetByteCount(settings);
        if (length > MaxSettings)
        {
            throw new RpcException(RpcStatus.InvalidArgument, $"The settings have {length} bytes, and at most {MaxSettings} are taken.");
        }

        List<ConfigurationProblem> problems = [];
        ConfigurationNode? node = ConfigurationText.Parse(Encoding.UTF8.GetBytes(settings), problems, allowsAliases: false);
        node = node is null ? null : SettingsSecrets.Restore(node, before, problems);
        IReadOnlyList<string> texts = problems.Count > 0 || node is null ? [.. problems.Select(problem => problem.Describe(Place))] : set.Check(key, node, Place);
        return texts.Count == 0 ? node! : throw Invalid(texts);
    }

    private static RpcException Invalid(IReadOnlyList<string> problems) => new(RpcStatus.InvalidArgument, string.Join("\n", problems));

    private async Task ChangeAsync(Func<CameraSet, StateContent> change, CancellationToken cancellation)
    {
        await _oneAtATime.Writer.WriteAsync(true, cancellation).ConfigureAwait(false);
        try
        {
            CameraSet set = Refresh(current());
            StateContent state = change(set);
            CameraSet next = set.With(state);
            if (state.Problems.Count > 0)
            {
                throw Invalid(state.Problems);
            }

            // The new camera itself, or another one that has one of its streams.
            IReadOnlyList<string> problems = [.. next.All.Where(camera => camera.Configuration is null && set.Find(camera.Key) is not { Configuration: null }).SelectMany(camera => camera.Problems)];
            if (problems.Count > 0)
            {
                throw Invalid(problems);
            }

            Save(state);
            await adopt(next).WaitAsync(cancellation).ConfigureAwait(false);
        }
        finally
        {
            _oneAtATime.Reader.TryRead(out _);
        }
    }

    /// <summary>The set with the state file as it is now.</summary>
    private static CameraSet Refresh(CameraSet set)
    {
        StateContent state = StateContent.Load(set.State.Directory);
        string problem = ProblemOf(state);
        if (problem.Length > 0)
        {
            throw new RpcException(RpcStatus.FailedPrecondition, problem);
        }

        return state.IsSameAs(set.State) ? set : set.With(state);
    }

    private void Save(StateContent state)
    {
        if (state.Size > StateContent.MaxBytes)
        {
            throw new RpcException(
                RpcStatus.ResourceExhausted, $"{state.FilePath} would have {state.Size} bytes, and at most {StateContent.MaxBytes} are kept. Put cameras into the configuration file.");
        }

        try
        {
            state.Save();
        }
        catch (LinuxException error) when (error.Errno == Errno.EAGAIN)
        {
            throw new RpcException(RpcStatus.Aborted, $"{error.Message} Is it another cuframesd? Each needs a state directory of its own.", error);
        }
        catch (IOException error)
        {
            string text = $"The change cannot be kept in {state.FilePath}, so nothing was changed: {error.Message.TrimEnd('.')}.";
            log.Write(LogEvents.StateUnwritable, text);
            throw new RpcException(RpcStatus.FailedPrecondition, text, error);
        }
    }
}
