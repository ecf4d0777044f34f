using System.Text.Json;
using CuFrames.Control.V1;
using Google.Protobuf;

namespace CuFrames.Control.Tests;

/// <summary>Our own client.</summary>
internal sealed class ClientCaller(string socket) : ControlCaller
{
    public override async Task<CallResult> CallAsync(string method, string request, double? timeout, int? take, Action<JsonElement>? onMessage)
    {
        List<JsonElement> messages = [];
        try
        {
            using ControlClient client = new(socket) { Timeout = timeout is { } limit ? TimeSpan.FromSeconds(limit) : System.Threading.Timeout.InfiniteTimeSpan };
            switch (method)
            {
                case "GetDaemon":
                    messages.Add(Json(await client.GetDaemonAsync()));
                    break;
                case "ListCameras":
                    ListCamerasResponse cameras = new();
                    cameras.Cameras.AddRange(await client.ListCamerasAsync());
                    messages.Add(Json(cameras));
                    break;
                case "GetCamera":
                    messages.Add(Json(await client.GetCameraAsync(GetCameraRequest.Parser.ParseJson(request).Key)));
                    break;
                case "AddCamera":
                    AddCameraRequest addition = AddCameraRequest.Parser.ParseJson(request);
                    messages.Add(Json(await client.AddCameraAsync(addition.Key, addition.Settings)));
                    break;
                case "UpdateCamera":
                    UpdateCameraRequest update = UpdateCameraRequest.Parser.ParseJson(request);
                    messages.Add(Json(await client.UpdateCameraAsync(update.Key, update.Settings)));
                    break;
                case "RemoveCamera":
                    await client.RemoveCameraAsync(RemoveCameraRequest.Parser.ParseJson(request).Key);
                    messages.Add(Json(new RemoveCameraResponse()));
                    break;
                case "RestartCamera":
                    await client.RestartCameraAsync(RestartCameraRequest.Parser.ParseJson(request).Key);
                    messages.Add(Json(new RestartCameraResponse()));
                    break;
                case "GetStatistics":
                    messages.Add(Json(await client.GetStatisticsAsync(GetStatisticsRequest.Parser.ParseJson(request).Camera)));
                    break;
                case "TakeSnapshot":
                    TakeSnapshotRequest picture = TakeSnapshotRequest.Parser.ParseJson(request);
                    messages.Add(Json(await client.TakeSnapshotAsync(picture.Stream, picture.Format, (int)picture.MaxWidth)));
                    break;
                case "SetLogLevel":
                    await client.SetLogLevelAsync(SetLogLevelRequest.Parser.ParseJson(request).Level);
                    messages.Add(Json(new SetLogLevelResponse()));
                    break;
                case "ListReaders":
                    string stream = ListReadersRequest.Parser.ParseJson(request).Stream;
                    ListReadersResponse readers = new();
                    readers.Readers.AddRange(await client.ListReadersAsync(stream.Length == 0 ? null : stream));
                    messages.Add(Json(readers));
                    break;
                case "EvictReader":
                    EvictReaderRequest eviction = EvictReaderRequest.Parser.ParseJson(request);
                    await client.EvictReaderAsync(new Reader { Stream = eviction.Stream, ReadsPackets = eviction.ReadsPackets, Id = eviction.Id }, eviction.Reason);
                    messages.Add(Json(new EvictReaderResponse()));
                    break;
                case "WatchEvents":
                    WatchEventsRequest watch = WatchEventsRequest.Parser.ParseJson(request);
                    using (CancellationTokenSource ending = new())
                    {
                        await foreach (Event happening in client.WatchEventsAsync(watch.Camera, (int)watch.Past, watch.PastOnly, ending.Token))
                        {
                            messages.Add(Json(happening));
                            onMessage?.Invoke(messages[^1]);
                            if (messages.Count == take)
                            {
                                await ending.CancelAsync();
                            }
                        }
                    }

                    break;
                default:
                    throw new ArgumentException($"no method {method}");
            }

            return new CallResult(RpcStatus.Ok, "", messages);
        }
        catch (RpcException error)
        {
            return new CallResult(error.Status, error.Message, messages);
        }
    }

    public override void Dispose()
    {
    }

    private static JsonElement Json(IMessage message) => JsonDocument.Parse(JsonFormatter.Default.Format(message)).RootElement;
}
