using System.Diagnostics;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using CuFrames.Benchmarks.Gpu.Device;
using CuFrames.GpuTests;
using CuFrames.Interop;

if (args is ["--help" or "-h", ..])
{
    Console.Out.WriteLine(RunOptions.Usage);
    return 0;
}

if (RunOptions.Parse(args) is not { } options)
{
    return 64;
}

if (!CudaDriver.TryInitialise(out string? obstacle))
{
    Console.Error.WriteLine($"These tests need a GPU. {obstacle}");
    return 2;
}

CudaDevice device = CudaDriver.Devices[0];
string driver = DeviceManagement.DriverVersion ?? "not known";
Console.Out.WriteLine($"{device.Name} ({device.UuidText}), driver {driver}, CUDA {CudaDriver.Version / 1000}.{CudaDriver.Version % 1000 / 10}");

// The suites lie beside this program, each in a folder of its own name.
string apps = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, ".."));
string[] names = [.. Directory.EnumerateDirectories(apps, "*.Tests").Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];
if (options.Only.FirstOrDefault(name => !names.Contains(name)) is { } unknown)
{
    Console.Error.WriteLine($"There is no suite '{unknown}'. There are: {string.Join(", ", names)}.");
    return 64;
}

Directory.CreateDirectory(options.LogFolder);
DateTime date = DateTime.UtcNow;
Stopwatch watch = Stopwatch.StartNew();
List<SuiteResult> results = [];
foreach (string name in names.Where(name => options.Only.Count == 0 || options.Only.Contains(name)))
{
    Console.Out.WriteLine($"{name}");
    results.Add(new Suite(name, Path.Combine(apps, name, name)).Run(options));

    // After each suite: what is known is not lost if the run is cut off.
    Write();
}

if (results.Count == 0)
{
    Console.Error.WriteLine($"There is no test suite in {apps}.");
    return 1;
}

PrintTable();
return results.TrueForAll(result => result.IsOk) ? 0 : 1;

void PrintTable()
{
    Console.Out.WriteLine();
    Console.Out.WriteLine($"{"suite",-32} {"passed",7} {"failed",7} {"skipped",8} {"seconds",8}");
    foreach (SuiteResult result in results)
    {
        Console.Out.WriteLine(FormattableString.Invariant(
            $"{result.Suite,-32} {result.Passed,7} {result.Failures.Count,7} {result.Skipped.Count,8} {result.Seconds,8:0.0}"));
    }

    Console.Out.WriteLine(FormattableString.Invariant(
        $"{"all",-32} {results.Sum(result => result.Passed),7} {results.Sum(result => result.Failures.Count),7} {results.Sum(result => result.Skipped.Count),8} {watch.Elapsed.TotalSeconds,8:0.0}"));
    foreach (SuiteResult result in results.Where(result => result.Failures.Count > 0))
    {
        Console.Out.WriteLine($"\nThe first failure of {result.Suite}: {result.Failures[0].Test}\n{result.Failures[0].Text}");
    }

    Console.Out.WriteLine($"\nThe results are in {options.Json}, the suites' output is in {options.LogFolder}.");
}

void Write()
{
    JsonSerializerOptions format = new(JsonSerializerDefaults.Web) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    string version = Path.Combine(apps, "..", "VERSION");
    File.WriteAllText(options.Json, JsonSerializer.Serialize(
        new
        {
            Device = device.Name,
            Uuid = device.UuidText,
            Driver = driver,
            Date = date.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            Command = string.Join(' ', ["run-gpu-tests", .. args]),
            Bundle = File.Exists(version) ? File.ReadAllLines(version) : [],
            Passed = results.Sum(result => result.Passed),
            Failed = results.Sum(result => result.Failures.Count),
            Skipped = results.Sum(result => result.Skipped.Count),
            Seconds = watch.Elapsed.TotalSeconds,
            Suites = results,
        },
        format) + "\n");
}
