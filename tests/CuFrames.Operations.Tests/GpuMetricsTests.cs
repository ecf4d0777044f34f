using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Operations.Tests;

/// <summary>Metrics of the GPU, on the doubles of the CUDA driver and of NVML.</summary>
public sealed class GpuMetricsTests
{
    private const string Gpu = "GPU-fa4ecada-0000-4000-8000-000000000000";

    private const string Configuration = """
        directory: {run}
        gpu: { memory_limit: 64MiB, max_decoders: 3 }
        cameras:
          pattern: { source: "test:nv12@320x240@25", memory: cuda }
        """;

    [Fact]
    public async Task NVML_tells_memory_and_utilisation_of_the_decoder()
    {
        using WatchedDaemon daemon = Start(hasNvml: true);
        Samples samples = await daemon.ScrapeUntilAsync(now => now.Values("hw_gpu_utilization_ratio").Any() && now.Values("cuframes_gpu_ring_memory_bytes").SingleOrDefault() > 0);
        Assert.Equal(0.73, samples.Value("hw_gpu_utilization_ratio", ("gpu", Gpu), ("task", "decoder")));
        Assert.Equal(0.41, samples.Value("hw_gpu_utilization_ratio", ("gpu", Gpu), ("task", "general")));
        Assert.Equal(5L << 30, samples.Value("hw_gpu_memory_usage_bytes", ("gpu", Gpu)));
        Assert.Equal(16L << 30, samples.Value("hw_gpu_memory_limit_bytes", ("gpu", Gpu)));
        Assert.Equal(64 << 20, samples.Value("cuframes_gpu_ring_memory_limit_bytes", ("gpu", Gpu)));
        Assert.Equal(3, samples.Value("cuframes_gpu_decoders_limit", ("gpu", Gpu)));
        Assert.Equal(0, samples.Value("cuframes_gpu_decoders", ("gpu", Gpu)));
        Assert.Equal(samples.Value("cuframes_stream_memory_bytes", ("stream", "pattern"), ("domain", "cuda")), samples.Value("cuframes_gpu_ring_memory_bytes", ("gpu", Gpu)));
        Assert.Equal((0, ""), await WatchedDaemon.PromtoolAsync(samples.Text, "check", "metrics"));
    }

    [Fact]
    public async Task A_device_that_tells_nothing_of_its_decoder_tells_the_rest()
    {
        using WatchedDaemon daemon = Start(hasNvml: true, ("NVML_DOUBLE", "no-decoder"));
        Samples samples = await daemon.ScrapeUntilAsync(now => now.Values("hw_gpu_utilization_ratio").Any());
        Assert.Equal(["general"], samples.Labels("hw_gpu_utilization_ratio").Select(labels => labels["task"]));
        Assert.Equal(5L << 30, samples.Value("hw_gpu_memory_usage_bytes"));
    }

    [Fact]
    public async Task Without_NVML_the_context_tells_the_memory()
    {
        using WatchedDaemon daemon = Start(hasNvml: false);

        // The double has nothing in use until the ring is made.
        Samples samples = await daemon.ScrapeUntilAsync(now => now.Values("hw_gpu_memory_usage_bytes").SingleOrDefault() > 0);
        Assert.Empty(samples.Values("hw_gpu_utilization_ratio"));
        Assert.InRange(samples.Value("hw_gpu_memory_usage_bytes"), 1, samples.Value("hw_gpu_memory_limit_bytes"));
    }

    private static WatchedDaemon Start(bool hasNvml, params (string Name, string Value)[] variables)
    {
        Dictionary<string, string> environment = new(TestCuda.ChildEnvironment);
        foreach ((string name, string value) in variables)
        {
            environment[name] = value;
        }

        if (hasNvml)
        {
            environment["LD_LIBRARY_PATH"] += ":" + Path.Combine(AppContext.BaseDirectory, "nvml-double");
        }

        return new WatchedDaemon(Configuration, "", environment);
    }
}
