using System.Diagnostics;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>One connection of the subscriber under test, of frames or of packets: what it says, and what its command prints. For one thread.</summary>
internal abstract class StagedConnection(Stage stage, Connection connection) : IDisposable
{
    // No guarantees of the protocol, only when a check gives up: the machine may be busy. An answer is what faulty subscribers fail to give most often, so
    // it is what their examination takes longest to wait for.
    public const int AnswerMilliseconds = 6_000;

    /// <summary>When a check gives up on an answer about a segment.</summary>
    protected const int SegmentMilliseconds = 10_000;

    /// <summary>When a check gives up on a line of the command.</summary>
    protected const int LineMilliseconds = 30_000;

    private readonly List<Message> _messages = [];
    private bool _hungUp;

    public Connection Connection { get; } = connection;

    public Subject Subject => stage.Subject;

    /// <summary>Messages from the subscriber that were read so far.</summary>
    public IReadOnlyList<Message> Messages => _messages;

    /// <summary>The command connects and sends a first packet.</summary>
    protected static (Connection Connection, byte[] First) AcceptFirst(Stage stage)
    {
        while (true)
        {
            Connection connection = stage.Accept();
            using Packet packet = connection.Receive(AnswerMilliseconds);
            if (packet.Kind == PacketKind.HangUp || (connection.Socket.Poll(IoEvents.Readable, 0) & IoEvents.HangUp) != 0)
            {
                // A connection that the command has given up meanwhile: the check before took longer than its patience.
                connection.Dispose();
                continue;
            }

            if (packet.Kind != PacketKind.Packet)
            {
                connection.Dispose();
                throw Expect.Failure("HELLO at once (3.1)", packet.Kind.ToString());
            }

            return (connection, packet.Bytes);
        }
    }

    /// <summary>The next line of a frame or packet of an epoch.</summary>
    protected SubjectLine ExpectLine(ulong epoch, Func<string> what, Action wake)
    {
        var watch = Stopwatch.StartNew();
        while (watch.ElapsedMilliseconds < LineMilliseconds)
        {
            if (Subject.Next(50) is { Event: null } line && line.Epoch == epoch)
            {
                return line;
            }

            CheckAlive();
            wake();
        }

        throw Expect.Failure($"the line of {what()} within {LineMilliseconds} ms", Subject.Unreadable is { } text ? $"the line '{text}'" : "none");
    }

    /// <summary>No line of an epoch may come for a while.</summary>
    protected void ExpectNoLine(ulong epoch, int milliseconds, string expected)
    {
        var watch = Stopwatch.StartNew();
        while (watch.ElapsedMilliseconds < milliseconds)
        {
            if (Subject.Next(20) is { Event: null } line && line.Epoch == epoch)
            {
                throw Expect.Failure(expected, line.Text);
            }
        }
    }

    public void ExpectEvent(string name, ErrorCode? code, int milliseconds = LineMilliseconds)
    {
        var watch = Stopwatch.StartNew();
        string expected = code is { } value ? $"the event '{name}' with code {(uint)value}" : $"the event '{name}'";
        while (Subject.Next(milliseconds - (int)watch.ElapsedMilliseconds) is { } line)
        {
            if (line.Event is null)
            {
                continue;
            }

            Expect.That(line.Event == name && (code is null || line.Code == (uint)code), expected, line.Text);
            return;
        }

        throw Expect.Failure($"{expected} within {milliseconds} ms", "none");
    }

    /// <summary>Expects BYE with a code, then a hang-up.</summary>
    public void ExpectBye(ErrorCode code, int milliseconds = AnswerMilliseconds)
    {
        var watch = Stopwatch.StartNew();
        while (!_hungUp && watch.ElapsedMilliseconds < milliseconds)
        {
            Read(50);
        }

        Message? bye = _messages.Find(message => message.Type == MessageType.BYE);
        Expect.That(bye is not null && bye.Error == code && _hungUp, $"BYE {code}, then a hang-up",
            Found() + (_hungUp ? ", then a hang-up" : $", and no hang-up within {milliseconds} ms"));
    }

    /// <summary>Expects a hang-up without BYE.</summary>
    public void ExpectQuietHangUp(int milliseconds = AnswerMilliseconds)
    {
        var watch = Stopwatch.StartNew();
        while (!_hungUp && watch.ElapsedMilliseconds < milliseconds)
        {
            Read(50);
        }

        Expect.That(_hungUp && !_messages.Exists(message => message.Type == MessageType.BYE), "a hang-up without an answer",
            Found() + (_hungUp ? ", then a hang-up" : ", and no hang-up"));
    }

    /// <summary>The subscriber must not have left.</summary>
    public void CheckAlive()
    {
        Read(0);
        Expect.That(!_hungUp, "that the subscriber stays connected", Found() + ", then a hang-up");
    }

    public virtual void Dispose() => Connection.Dispose();

    protected string Found() => _messages.Count == 0 ? "no message" : string.Join(", ", _messages);

    protected void Read(int timeoutMilliseconds)
    {
        while (!_hungUp)
        {
            using Packet packet = Connection.Receive(timeoutMilliseconds);
            timeoutMilliseconds = 0;
            if (packet.Kind == PacketKind.Nothing)
            {
                return;
            }

            if (packet.Kind == PacketKind.HangUp)
            {
                _hungUp = true;
                return;
            }

            Expect.That(packet.Kind == PacketKind.Packet, "messages of at most 65,536 bytes without descriptors (2.2)", packet.Kind.ToString());
            Message message = packet.Parse();
            Expect.Equal(Limits.Version, message.Version, $"in the header of {message.Type} version");
            _messages.Add(message);
        }
    }
}
