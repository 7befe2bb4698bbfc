#!/usr/bin/env bash
# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
#
# Make .venv ready: system packages, pinned Python packages, ROS 2 wheels, generated interfaces and
# this package itself. Every step leaves a stamp of what it was made from, so a second run only
# compares stamps, and a changed message or pin repeats only what depends on it.
#
#   PYTHON=python3.12     interpreter for a new .venv (default: the first suitable one found)
#   TORCH=cpu|cuda        which torch (default: cuda where an NVIDIA GPU answers, else cpu)
#   TORCH_INDEX=URL       PyTorch index for another build, e.g. https://download.pytorch.org/whl/cu126
#
# scripts/robot_env_test.sh makes a second environment of the same kind with other versions:
#   VENV=FOLDER           where to make it (default: .venv)
#   RUNTIME='NAME ...'    files of requirements/ to install (default: runtime)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ROOT=$PWD
VENV=${VENV:-$ROOT/.venv}
RUNTIME=${RUNTIME:-runtime}
STAMPS=$VENV/stamps
BUILD=$VENV/build
REQUIREMENTS=(requirements/{build,dev,constraints}.txt)
for name in $RUNTIME; do REQUIREMENTS+=("requirements/$name.txt"); done

# Nothing of a sourced ROS installation, nor of the venv that started us, may leak into this one.
unset PYTHONHOME PYTHONPATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
unset AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH

say() { printf '\n==> %s\n' "$*"; }

die() {
  printf '\nsetup: %s\n' "$*" >&2
  exit 1
}

check_platform() {
  [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] ||
    die "the ROS 2 wheels exist for Linux on x86-64 only, this is $(uname -s) on $(uname -m)." \
      'On other machines build the package in a ROS 2 Jazzy installation (see README.md).'
}

missing_packages() { # SUFFIX: print the listed packages ending in SUFFIX that are not installed
  local listed installed
  listed=$(sed -nE "s/^([a-z0-9.+-]+)$1\$/\1/p" scripts/apt-packages.txt | sort)
  # shellcheck disable=SC2086 # one word a package; unknown ones make dpkg-query fail
  installed=$({ dpkg-query -W -f='${Package} ${db:Status-Status}\n' $listed 2>/dev/null || true; } |
    sed -n 's/ installed$//p' | sort)
  comm -23 <(echo "$listed") <(echo "$installed")
}

install_system_packages() {
  command -v dpkg-query >/dev/null || return 0 # not Debian: the user knows the names there
  local needed optional
  mapfile -t needed < <(missing_packages '')
  mapfile -t optional < <(missing_packages '[?]')
  # An interpreter from elsewhere (pyenv, uv) brings its own headers and venv module.
  if [[ -x $VENV/bin/python ]] || find_python >/dev/null; then
    mapfile -t needed < <(printf '%s\n' "${needed[@]}" | grep -vE '^(python3.*|)$' || true)
  fi
  if ((${#needed[@]} == 0)); then return 0; fi
  if ((EUID != 0)); then
    die "some system packages are missing. Run this once, then repeat:
  sudo apt-get update && sudo apt-get install -y ${needed[*]} ${optional[*]}"
  fi
  say "Installing system packages: ${needed[*]} ${optional[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${needed[@]}"
  local package
  for package in "${optional[@]}"; do
    apt-get install -y -qq --no-install-recommends "$package" ||
      echo "no $package in this distribution; going on without it"
  done
}

find_python() { # print the first interpreter that can make a venv and compile extensions
  local candidate
  for candidate in ${PYTHON:-python3 python3.12 python3.13 python3.11 python3.14}; do
    "$candidate" - 2>/dev/null <<'PY' || continue
import ensurepip, os, sys, sysconfig, venv
header = os.path.join(sysconfig.get_paths()['include'], 'Python.h')
sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 14) and os.path.exists(header)))
PY
    command -v "$candidate"
    return
  done
  return 1
}

torch_variant() {
  if [[ -n ${TORCH:-} ]]; then
    echo "$TORCH"
  elif nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then
    echo cuda
  else
    echo cpu
  fi
}

fingerprint() { # WORD|PATH...: digest of the words and of the contents of files and folders
  local item
  for item in "at $VENV" "$@"; do
    if [[ -n $item && -e $item ]]; then
      find "$item" -type f -print0 | sort -z | xargs -0 sha256sum
    else
      echo "$item"
    fi
  done | sha256sum
}

step() { # NAME TITLE WORD|PATH... -- COMMAND...: run COMMAND unless its stamp matches
  local name=$1 title=$2 inputs=() key
  shift 2
  while [[ $1 != -- ]]; do
    inputs+=("$1")
    shift
  done
  shift
  key=$(fingerprint "${inputs[@]}")
  if [[ $(cat "$STAMPS/$name" 2>/dev/null) == "$key" ]]; then return 0; fi
  say "$title"
  "$@"
  mkdir -p "$STAMPS"
  echo "$key" >"$STAMPS/$name"
}

create_venv() {
  local python
  if grep -qsF "$VENV/" "$VENV/bin/pip" && "$VENV/bin/python" -c '' 2>/dev/null; then return 0; fi
  python=$(find_python) ||
    die "no Python 3.11 to 3.14 with venv and headers found (tried ${PYTHON:-python3 and python3.11 to 3.14})." \
      'Install one, or name it: make setup PYTHON=/path/to/python3.12'
  "$python" -m venv --clear "$VENV"
  "$VENV/bin/python" --version
}

pip_install() { "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input "$@"; }

install_requirements() {
  local file files=()
  for file in "${REQUIREMENTS[@]}"; do
    [[ $file == */constraints.txt ]] || files+=(-r "$file")
  done
  pip_install -c requirements/constraints.txt "${files[@]}"
}

install_ros() {
  pip_install --quiet -c requirements/constraints.txt -r requirements/ros-jazzy.txt
  "$VENV/bin/python" scripts/patch_ros_wheels.py
}

build_interfaces() { # FOLDER: generate, compile and install one interface package into .venv
  local name build
  name=$(basename "$1")
  build=$BUILD/$name
  # Definitions that are gone must not stay importable.
  if [[ -f $build/install_manifest.txt ]]; then
    (cat "$build/install_manifest.txt" && echo) | xargs -d '\n' rm -f
  fi
  rm -rf "$build"
  mkdir -p "$build"
  export AMENT_PREFIX_PATH=$VENV CMAKE_PREFIX_PATH=$VENV
  if ! {
    "$VENV/bin/cmake" -S "$1" -B "$build" -DCMAKE_INSTALL_PREFIX="$VENV" \
      -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DPython3_EXECUTABLE="$VENV/bin/python" &&
      "$VENV/bin/cmake" --build "$build" --target install --parallel "$(nproc)"
  } >"$build.log" 2>&1; then
    tail -n 40 "$build.log" >&2
    die "generating $name failed; the whole log is $build.log"
  fi
}

install_package() {
  pip_install --quiet --no-deps --no-build-isolation --editable .
  # An editable install leaves data files out. Links make the package known to the ament index and
  # keep launch files, parameters and the checkpoint editable too.
  local item share=$VENV/share
  mkdir -p "$share/ament_index/resource_index/packages" "$share/ipt_ros"
  ln -sfn "$ROOT/resource/ipt_ros" "$share/ament_index/resource_index/packages/ipt_ros"
  for item in package.xml launch config checkpoints; do
    ln -sfn "$ROOT/$item" "$share/ipt_ros/$item"
  done
}

check_platform
install_system_packages
step venv "Creating ${VENV#"$ROOT/"}" -- create_venv
step torch "Installing torch for: $(torch_variant)" "$(torch_variant)" "${TORCH_INDEX:-}" \
  requirements/torch.txt scripts/install_torch.py -- \
  "$VENV/bin/python" scripts/install_torch.py "$(torch_variant)" requirements/torch.txt
step requirements 'Installing pinned Python packages' "${REQUIREMENTS[@]}" -- install_requirements
step ros 'Installing the ROS 2 Jazzy wheels (about 100 packages)' requirements/ros-jazzy.txt \
  scripts/patch_ros_wheels.py -- install_ros
step tf2_msgs 'Generating tf2_msgs (about 10 s)' requirements/ros-jazzy.txt \
  ipt_interfaces/compat/tf2_msgs -- build_interfaces ipt_interfaces/compat/tf2_msgs
step ipt_interfaces 'Generating ipt_interfaces (about 30 s)' requirements/ros-jazzy.txt \
  ipt_interfaces -- build_interfaces ipt_interfaces
step ipt_ros "Installing ipt_ros into ${VENV#"$ROOT/"} (editable)" \
  requirements/robot*.txt setup.py setup.cfg package.xml ipt_ros/__init__.py -- install_package
