#!/bin/sh
#
# Publish frames with one process and read them with another.
#
#   cuframes.sh FFMPEG FFPROBE PIXEL_FORMAT [PUBLISHERS]
#
# Prints what was read: a checksum of every frame, and the properties of the stream. Depends on no duration: the first frame of a publisher
# is followed by the others when it has been read, and the ring holds them all.

set -e

ffmpeg=$1
ffprobe=$2
pix_fmt=$3
publishers=$4
reader=
publisher=
frames=12
size=128x96
patience=120000000 # microseconds; only a failing test gets there

case $publishers in
    [1-9]) ;;
    *)     publishers=1 ;; # runlocal adds an argument of its own
esac

dir=$(mktemp -d "${TMPDIR:-/tmp}/fate-cuframes.XXXXXX")
trap 'kill -9 $reader $publisher 2>/dev/null || :; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
CUFRAMES_DIR=$dir
export CUFRAMES_DIR

# Ten bits are made of twice as many bytes: versions differ in how they convert to them.
case $pix_fmt in
    p010le) source="-i testsrc2=size=256x96:rate=2 -pix_fmt nv12" ;;
    *)      source="-i testsrc2=size=$size:rate=2 -pix_fmt $pix_fmt" ;;
esac
$ffmpeg -nostdin -v error -f lavfi $source -frames:v $frames -sws_flags +accurate_rnd+bitexact -f rawvideo "$dir/frames"
bytes=$(($(wc -c < "$dir/frames") / frames))

# Wait until so many frames have been read.
wait_for(){
    while [ "$(grep -c '^0,' "$dir/read")" -lt $1 ]; do
        kill -0 $reader 2>/dev/null || return 1
        sleep 0.05
    done
}

: > "$dir/read"
$ffmpeg -nostdin -v error -copyts -timeout $patience -f cuframes -i fate -c copy \
    -flush_packets 1 -bitexact -f framecrc -y "$dir/read" &
reader=$!

mkfifo "$dir/fifo"
done=0
while [ $done -lt $((frames * publishers)) ]; do
    $ffmpeg -nostdin -v error -f rawvideo -pixel_format $pix_fmt -video_size $size -framerate 25 -i "$dir/fifo" \
        -vf setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709,cuda_ipc_export=key=fate:slots=32:max_slots=32 \
        -f null - &
    publisher=$!
    exec 3> "$dir/fifo"
    head -c $bytes "$dir/frames" >&3
    wait_for $((done + 1))
    tail -c +$((bytes + 1)) "$dir/frames" >&3
    done=$((done + frames))
    wait_for $done
    if [ $done -eq $((frames * publishers)) ]; then
        # It would wait for another publisher, and look for SIGTERM when a packet comes.
        kill -9 $reader
        wait $reader 2>/dev/null || :
        reader=
        $ffprobe -v error -timeout $patience -of compact -show_entries \
            stream=codec_name,width,height,pix_fmt,color_range,color_space,color_transfer,color_primaries,avg_frame_rate cuframes:fate \
            > "$dir/probed"
    fi
    exec 3>&-
    wait $publisher
    publisher=
done

cat "$dir/read" "$dir/probed"
