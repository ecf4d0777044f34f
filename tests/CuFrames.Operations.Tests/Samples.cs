using System.Globalization;
using System.Text;

namespace CuFrames.Operations.Tests;

/// <summary>The samples of an answer in Prometheus' text format, read by its grammar.</summary>
internal sealed class Samples
{
    private readonly List<(string Name, Dictionary<string, string> Labels, double Value)> _all = [];

    private Samples(string text) => Text = text;

    public string Text { get; }

    public IEnumerable<string> Names => _all.Select(sample => sample.Name).Distinct();

    public int Count => _all.Count;

    public static Samples Parse(string text)
    {
        Samples samples = new(text);
        foreach (string line in text.Split('\n'))
        {
            if (line.Length > 0 && !line.StartsWith('#'))
            {
                samples._all.Add(ParseLine(line));
            }
        }

        return samples;
    }

    /// <summary>The value of the one series with these labels, among perhaps others.</summary>
    public double Value(string name, params (string Name, string Value)[] labels)
    {
        double[] found = [.. Values(name, labels)];
        return found.Length == 1
            ? found[0]
            : throw new InvalidOperationException($"{found.Length} series of {name} with {string.Join(", ", labels)}:\n{Text}");
    }

    public IEnumerable<double> Values(string name, params (string Name, string Value)[] labels) =>
        With(name, labels).Select(sample => sample.Value);

    public IEnumerable<Dictionary<string, string>> Labels(string name, params (string Name, string Value)[] labels) =>
        With(name, labels).Select(sample => sample.Labels);

    public IEnumerable<(string Name, Dictionary<string, string> Labels, double Value)> With(string name, params (string Name, string Value)[] labels) =>
        _all.Where(sample => sample.Name == name && labels.All(label => sample.Labels.TryGetValue(label.Name, out string? value) && value == label.Value));

    private static (string Name, Dictionary<string, string> Labels, double Value) ParseLine(string line)
    {
        int place = line.IndexOfAny(['{', ' ']);
        string name = line[..place];
        Dictionary<string, string> labels = [];
        if (line[place] == '{')
        {
            while (line[place] != '}')
            {
                int equals = line.IndexOf('=', place);
                string label = line[(place + 1)..equals];
                StringBuilder value = new();
                place = equals + 2;
                for (; line[place] != '"'; place++)
                {
                    if (line[place] == '\\')
                    {
                        place++;
                        value.Append(line[place] == 'n' ? '\n' : line[place]);
                    }
                    else
                    {
                        value.Append(line[place]);
                    }
                }

                labels.Add(label, value.ToString());
                place++;
            }

            place++;
        }

        return (name, labels, double.Parse(line[(place + 1)..], CultureInfo.InvariantCulture));
    }
}
