using System.Text.Json;

namespace CuFrames.Control.Tests;

/// <summary>Somebody who calls the control API: our own client, Google's, or the program cuframes. The same scenarios run with each.</summary>
internal abstract class ControlCaller : IDisposable
{
    /// <summary>Who they are.</summary>
    public static string[] Kinds { get; } = ["CuFrames", "grpcio", "cuframes"];

    /// <summary>Makes one.</summary>
    public static ControlCaller Create(string kind, string socket) => kind switch
    {
        "grpcio" => new GrpcioCaller(socket),
        "cuframes" => new CliCaller(socket),
        _ => new ClientCaller(socket),
    };

    /// <summary>Makes a call and waits for its end.</summary>
    /// <param name="method">Name in control.proto.</param>
    /// <param name="request">The request in protobuf's JSON.</param>
    /// <param name="timeout">In how many seconds it must be done; null: no limit.</param>
    /// <param name="take">Of a stream: after how many messages it is given up; null: never.</param>
    /// <param name="onMessage">Is told each message of a stream as it comes.</param>
    public abstract Task<CallResult> CallAsync(string method, string request = "{}", double? timeout = 60, int? take = null, Action<JsonElement>? onMessage = null);

    public abstract void Dispose();
}
