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

// The suites lie beside this program, each in a folder of its own name; the tests in Python lie beside them all.
string apps = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, ".."));
string python = Path.GetFullPath(Path.Combine(apps, "..", "python-tests"));
List<Suite> suites = [.. Directory.EnumerateDirectories(apps, "*.Tests").Order(StringComparer.Ordinal).Select(Suite.OfExecutable)];
if (Directory.Exists(python))
{
    suites.Add(Suite.OfPython(python, Path.Combine(AppContext.BaseDirectory, "run_python_tests.py")));
}

if (options.Only.FirstOrDefault(name => !suites.Exists(suite => suite.IsCalled(name))) is { } unknown)
{
    Console.Error.WriteLine($"There is no suite '{unknown}'. There are: {string.Join(", ", suites.Select(suite => suite.ShortName))}.");
    return 64;
}

Directory.CreateDirectory(options.LogFolder);
DateTime date = DateTime.UtcNow;
Stopwatch watch = Stopwatch.StartNew();
List<SuiteResult> results = [];
foreach (Suite suite in suites.Where(suite => options.Only.Count == 0 || options.Only.Any(suite.IsCalled)))
{
    Console.Out.WriteLine(suite.Name);
    results.Add(suite.Run(options));

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
    // An overlay that was unpacked over the archive says what it is in a file of its own.
    IEnumerable<string> versions = Directory.EnumerateFiles(Path.Combine(apps, ".."), "VERSION*").Order(StringComparer.Ordinal);
    File.WriteAllText(options.Json, JsonSerializer.Serialize(
        new
        {
            Device = device.Name,
            Uuid = device.UuidText,
            Driver = driver,
            Date = date.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            Command = string.Join(' ', ["run-gpu-tests", .. args]),
            Bundle = versions.SelectMany(File.ReadAllLines),
            Passed = results.Sum(result => result.Passed),
            Failed = results.Sum(result => result.Failures.Count),
            Skipped = results.Sum(result => result.Skipped.Count),
            Seconds = watch.Elapsed.TotalSeconds,
            Suites = results,
        },
        format) + "\n");
}
