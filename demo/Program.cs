using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Demo.Internal;

Option<int> seconds = Options.Number("--seconds", "How long frames are read.", standard: 20, least: 5, most: 86_400);
Option<bool> keep = new("--keep") { Description = "Go on until Ctrl-C." };
Option<bool> json = new("--json") { Description = "The last line of standard output is one JSON object; progress goes to standard error." };
Option<string> repository = new("--repository") { Description = "The repository's folder.", Required = true };
RootCommand root = new("Shows CuFrames at work; demo.sh builds and starts it.") { seconds, keep, json, repository };
root.SetAction(parse =>
{
    using Interruption interruption = new();
    using Show show = new(parse.GetRequiredValue(repository), parse.GetValue(json), interruption.Token);
    return show.Run(parse.GetValue(seconds), parse.GetValue(keep));
});
root.Subcommands.Add(Reader.CreateCommand());
root.Subcommands.Add(Holder.CreateCommand());

ParseResult result = root.Parse(args);
if (result.Errors.Count > 0)
{
    Console.Error.WriteLine($"demo: {result.Errors[0].Message} See ./demo.sh --help.");
    return ExitCode.Usage;
}

try
{
    return result.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
}
catch (OperationCanceledException)
{
    return ExitCode.Interrupted;
}
catch (Exception error) when (error is CuFrames.Protocol.CuFramesException or IOException or InvalidOperationException or TimeoutException)
{
    Console.Error.WriteLine($"demo: {error.Message}");
    return ExitCode.Error;
}
