using System.Globalization;

namespace CuFrames.Frigate.Tests;

/// <summary>Looks for what must not be in the report of one camera. Frigate's own limits are the only times that matter.</summary>
internal sealed class Verdict(string name, NvrReport report, NvrReport.Camera camera, Way way, IReadOnlyList<Outage> outages)
{
    /// <summary>Longest time between two pictures of a segment in which nothing was interrupted, in seconds: twice that of one, because the camera's file is a little longer than its pictures.</summary>
    private const double LongestStep = 0.2;

    /// <summary>What Python says of a process that was killed.</summary>
    private const int Killed = -9;

    private readonly List<string> _faults = [];

    /// <summary>Everything that is wrong, one text each.</summary>
    public IReadOnlyList<string> Faults()
    {
        JudgeFrames();
        JudgeRestarts();
        JudgeSegments();
        JudgeProbes();
        return _faults;
    }

    private void JudgeFrames()
    {
        NvrReport.Detect detect = camera.Detect;
        Require(detect.Unknown == 0, $"{detect.Unknown} of {detect.Frames} frames are no picture of the camera");
        // The rendition has every second one, and may begin with either of two.
        Require(detect.Distinct >= CameraClip.Pictures / 2, $"{detect.Distinct} of {CameraClip.Pictures} pictures were seen");

        // Few would be the sign of a stream that comes in spurts.
        double live = report.Ended - report.Began - outages.Sum(outage => outage.To - outage.From + NvrProcess.NoFrame);
        Require(detect.Frames > live * CameraClip.Rate / 4, $"{detect.Frames} frames in {live:0} s");
        foreach (double[] gap in detect.Gaps)
        {
            Require(outages.Any(outage => gap[0] <= outage.To && gap[1] >= outage.From && gap[1] <= outage.To + NvrProcess.NoFrame), $"no frame {From(gap[0])} to {From(gap[1])}");
        }
    }

    private void JudgeRestarts()
    {
        foreach (NvrReport.Restart restart in camera.Restarts)
        {
            bool isAllowed = restart.Reason switch
            {
                "stalled" => outages.Any(outage => restart.At >= outage.From + NvrProcess.NoFrame && restart.At <= outage.To + NvrProcess.NoFrame),
                "exited" => way != Way.Patched && outages.Any(outage => restart.At >= outage.From && restart.At <= outage.To + NvrProcess.NoFrame),
                _ => false,
            };
            Require(isAllowed, $"{restart.Role} {From(restart.At)}: restarted, for it {restart.Reason} ({restart.Status}): {camera.Log[restart.Role]}");
        }
    }

    private void JudgeSegments()
    {
        Require(camera.Segments.Length >= (report.Ended - report.Began) / 20, $"{camera.Segments.Length} segments");
        NvrReport.Segment? before = null;
        foreach (NvrReport.Segment segment in camera.Segments)
        {
            int touched = outages.Count(outage => outage.Touches(segment.Start, segment.Start + segment.Duration));
            string what = $"{segment} {From(segment.Start)}";
            Require(segment.Faults.Length == 0, $"{what}: {string.Join("; ", segment.Faults)}");
            Require(segment.Unknown == 0, $"{what}: has pictures that the camera did not send");
            Require(segment.Jumps <= touched, $"{what}: pictures are missing");
            Require(touched > 0 || (segment.LargestStep <= LongestStep && segment.SoundLargestStep <= LongestStep), $"{what}: has gaps");
            Require(
                before is null || outages.Any(outage => outage.Touches(before.Start, segment.Start + segment.Duration)) || segment.First == (before.Last + 1) % CameraClip.Pictures,
                $"{what}: does not follow on {before}");
            before = segment;
        }
    }

    private void JudgeProbes()
    {
        Require(camera.Probes.Length > 0, $"no ffprobe call was made");
        IEnumerable<NvrReport.Probe> undisturbed = camera.Probes.Where(probe => !outages.Any(outage => outage.Touches(probe.At, probe.At + probe.Seconds)));
        foreach (IGrouping<(string Call, string Path), NvrReport.Probe> calls in undisturbed.GroupBy(probe => (probe.Call, probe.Path)))
        {
            // On a machine that is busy enough a program may take all of its 6 s to start. One that does so again and again is another matter.
            NvrReport.Probe[] late = [.. calls.Where(probe => probe.Status == Killed)];
            Require(late.Length <= calls.Count() / 2, $"ffprobe ({calls.Key.Call}) of {calls.Key.Path}: {late.Length} of {calls.Count()} calls took too long");
            foreach (NvrReport.Probe probe in calls.Where(probe => probe.Faults.Length > 0 && probe.Status != Killed))
            {
                Require(false, $"ffprobe ({probe.Call}) of {probe.Path} {From(probe.At)}, {probe.Seconds} s: {string.Join("; ", probe.Faults)}");
            }
        }
    }

    private void Require(bool isFine, FormattableString fault)
    {
        if (!isFine)
        {
            _faults.Add($"{name}: {fault.ToString(CultureInfo.InvariantCulture)}");
        }
    }

    private string From(double time) => string.Create(CultureInfo.InvariantCulture, $"at {time - report.Began:0.0} s");
}
