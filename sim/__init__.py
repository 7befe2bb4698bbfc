# SPDX-License-Identifier: Apache-2.0
"""Simulated robots and rooms, behind one `Simulator` protocol."""
