#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# To be sourced: puts the .NET SDK that global.json asks for on the PATH and sets what every build of ours wants.
# Says what to do and exits 1 when there is none.

if ! command -v dotnet >/dev/null && [ -x "${DOTNET_ROOT:-$HOME/.dotnet}/dotnet" ]; then
  PATH=${DOTNET_ROOT:-$HOME/.dotnet}:$PATH
fi

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
# No build server of ours stays behind.
export MSBUILDDISABLENODEREUSE=1

# Run inside the repository, so that global.json is looked at.
if ! command -v dotnet >/dev/null || ! dotnet --version >/dev/null 2>&1; then
  {
    echo "CuFrames needs the .NET SDK 10.0.100 or a later 10.0 (global.json), and $(
      if command -v dotnet >/dev/null; then
        echo "only found: $(dotnet --list-sdks | cut -d ' ' -f 1 | paste -s -d ' ')"
      else
        echo "there is no dotnet on the PATH"
      fi
    )."
    echo "Install it from https://dotnet.microsoft.com/download, or as a user without rights:"
    echo "  curl -sSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0"
  } >&2
  exit 1
fi
