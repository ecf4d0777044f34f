using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]

// One browser for all tests; each has pages and a daemon of its own.
[assembly: Xunit.AssemblyFixture(typeof(CuFrames.Web.Tests.Browser))]

// Two cores: each of these tests has a browser and a daemon with many cameras.
[assembly: Xunit.CollectionBehavior(DisableTestParallelization = true)]
