# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measuring a checkpoint: questions in, records out, and what can be said from the records.

``run`` asks a model every question in every mode and stores a record of each. Everything else
reads records: ``summary`` (accuracy, calibration, image quality), ``report`` (a web page) and
``compare`` (two runs on the same questions).
"""
