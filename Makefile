# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
# The commands of this repository. `make help` lists them.

VENV := $(CURDIR)/.venv
PY := $(VENV)/bin/python

# A sourced ROS installation would shadow the pinned wheels in .venv, and a variable of an outer
# Python in such a venv would keep ours from finding its libraries.
unexport PYTHONHOME PYTHONPATH COLCON_PREFIX_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
export AMENT_PREFIX_PATH := $(VENV)
export CMAKE_PREFIX_PATH := $(VENV)
# Nothing here needs to be seen by other machines, nor to see them.
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

.DEFAULT_GOAL := help
.PHONY: help setup demo test robot-env-test lint bench train-nano colcon clean distclean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## make .venv ready: dependencies, ROS 2 wheels, interfaces, this package
	@scripts/setup.sh

demo: setup  ## watch a simulated robot answer; writes demo_out/index.html
	$(VENV)/bin/ipt demo $(ARGS)

test: setup  ## run the whole test suite (ARGS="-k name" to choose)
	$(PY) -m pytest $(ARGS)

robot-env-test:  ## test the versions that a robot gets beside Ubuntu's, in .venv-robot (ARGS="tests/bagel")
	@scripts/robot_env_test.sh $(ARGS)

lint: setup  ## check style: the rules of ament_flake8 and ament_pep257, and more
	$(PY) -m ruff check .
	$(PY) -m flake8 .

bench: setup  ## measure answering, imagining, streaming and training on this machine
	$(VENV)/bin/ipt bench $(ARGS)

train-nano: setup  ## train the nano checkpoint from scratch (hours on two CPU cores; replaces the shipped one)
	$(VENV)/bin/ipt train $(ARGS)

colcon: setup  ## build both packages with colcon into build/ and install/
	$(VENV)/bin/colcon build --cmake-args -DPython3_EXECUTABLE=$(PY)

clean:  ## remove what the commands above made, except .venv*, runs and data
	rm -rf build install log demo_out bench_out eval_out .pytest_cache .ruff_cache .hypothesis
	find . -name '.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## remove .venv and .venv-robot, too
	rm -rf .venv .venv-robot *.egg-info
