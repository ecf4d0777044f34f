# shellcheck shell=sh
# shellcheck disable=SC2154 # bundle is set by whoever reads this file
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# To be sourced with $bundle set to the folder of the unpacked archive: makes the programs in it find each other and nothing
# else of the host but the driver's libraries, which stay where the host has them.

export CUFRAMES_BUNDLE="$bundle" CUFRAMES_CLIPS="$bundle/clips"
# The tests use the machine's driver, not the double of it.
export CUFRAMES_TEST_GPU=1
export DOTNET_ROOT="$bundle/dotnet" DOTNET_MULTILEVEL_LOOKUP=0 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
export PATH="$bundle/dotnet:$bundle/ffmpeg/bin:$bundle/apps/cuframes:$bundle/apps/cuframesd:${PATH:-/usr/bin:/bin}"
export CUFRAMES_HOST_LIBRARY_PATH="${LD_LIBRARY_PATH:-}"
export LD_LIBRARY_PATH="$bundle/ffmpeg/lib:$bundle/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LC_ALL=C.UTF-8
# libcuframes, and what uses it without .NET. Python is the host's: with PyTorch and CuPy where there is one of that kind.
export CUFRAMES_NATIVE_ARTIFACTS="$bundle" CUFRAMES_LIBRARY="$bundle/native/lib/libcuframes.so.0"
# The patched ffmpeg and ffprobe of each version; they find libcuframes in their own lib/.
export CUFRAMES_FFMPEG_BUILDS="$bundle/ffmpeg-builds"
export PYTHONPATH="$bundle/python${PYTHONPATH:+:$PYTHONPATH}" PYTHONDONTWRITEBYTECODE=1
if [ -z "${CUFRAMES_PYTHON:-}" ]; then
  CUFRAMES_PYTHON=python3
  if [ -x /opt/torch/.venv/bin/python ]; then
    CUFRAMES_PYTHON=/opt/torch/.venv/bin/python
  fi
  export CUFRAMES_PYTHON
fi
if [ -z "${HOME:-}" ]; then
  export HOME=/tmp
fi
