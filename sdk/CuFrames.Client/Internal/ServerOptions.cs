namespace CuFrames.Client.Internal;

/// <summary>What the options of every publisher have in common.</summary>
internal sealed record ServerOptions(
    string? Directory, string? Program, int MaxSubscribers, ReaderAccess Readers, ReaderQuotas? Quotas, Action<PublisherEvent>? OnEvent,
    DescriptorLimit? Descriptors = null);
