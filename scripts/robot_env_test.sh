#!/usr/bin/env bash
# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
#
# Test the package with the versions that it meets on a robot: requirements/robot*.txt beside what
# Ubuntu 24.04 brings (requirements/distribution.txt stands in for that). They go into .venv-robot,
# which scripts/setup.sh makes and keeps as it does .venv, so a second run only tests.
#
#   PYTHON=PATH    interpreter for a new .venv-robot (default: 3.12, as on Ubuntu, else 3.11)
#   TORCH=cuda     as for setup.sh (default: cpu)
#
# Arguments replace the default choice of tests: scripts/robot_env_test.sh tests/bagel -x
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export VENV=$PWD/.venv-robot RUNTIME='distribution robot robot-training robot-sim'
export TORCH=${TORCH:-cpu}
# What leans on packages in other versions: pictures, arrays, tables, bags, the model.
TESTS=(tests/bagel tests/bags tests/driving tests/geometry tests/ros_shared tests/sim tests/spatial
  tests/test_imports.py tests/test_pixels.py tests/training/data_sets tests/training/evaluation
  tests/training/mining tests/training/test_published.py tests/training/test_store.py)

say() { printf '\n==> %s\n' "$*"; }

pythons() { # print interpreters to try, one a line, best first
  local version
  if [[ -n ${PYTHON:-} ]]; then
    echo "$PYTHON"
    return
  fi
  for version in 3.12 3.11; do
    # A shim of pyenv exists for versions that are not switched on; it only says so.
    "python$version" -c 'import sys; print(sys.executable)' 2>/dev/null || true
    compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version.*/bin/python" || true
    uv python find "$version" 2>/dev/null || true
  done
}

make_environment() {
  local python
  if [[ -x $VENV/bin/ipt ]]; then
    scripts/setup.sh
    return
  fi
  while read -r python; do
    say "Making .venv-robot with $python"
    if PYTHON=$python scripts/setup.sh </dev/null; then return; fi
    say "$python cannot have these versions here"
    rm -rf "$VENV"
  done < <(pythons)
  echo 'robot_env_test: no Python 3.12 or 3.11 gets these versions; see above, or name another' \
    'with PYTHON=PATH (NumPy 1.26 has no wheels for later ones).' >&2
  return 1
}

check_commands() { # every command shows its help: all imports of its module work
  local command
  for command in $("$VENV/bin/python" -c "
from ipt_ros.cli import build_parser
actions = build_parser()._subparsers._group_actions
print(*actions[0].choices)"); do
    "$VENV/bin/ipt" "$command" --help >/dev/null
    echo "ipt $command --help: ok"
  done
}

make_environment
# As the Makefile does for .venv: nothing of another environment may leak in.
unset PYTHONHOME PYTHONPATH COLCON_PREFIX_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
export AMENT_PREFIX_PATH=$VENV CMAKE_PREFIX_PATH=$VENV
export ROS_AUTOMATIC_DISCOVERY_RANGE=${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}
say 'The machine, as ipt doctor sees it'
"$VENV/bin/ipt" doctor
say 'Help of every command'
check_commands
say 'Golden numbers'
"$VENV/bin/ipt" verify tests/data/tiny_bagel
say 'Tests without ROS'
"$VENV/bin/python" -m pytest -q -m 'not ros and not slow' "${@:-${TESTS[@]}}"
