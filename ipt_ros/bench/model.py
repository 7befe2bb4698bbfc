# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast the model answers, imagines and writes."""

from pathlib import Path
from statistics import median
from time import perf_counter

from ipt_ros.bagel import Context, generate_text
from ipt_ros.demo.story import CAMERAS, plan
from ipt_ros.imagination import AskRequest, BevRequest, Imagination, Options, View
from ipt_ros.spatial.prompts import THINK_PROMPT
from ipt_sim import make_simulator

SEED = 1_000_000
TOKENS = 64


def measure(checkpoint: Path, repeats: int) -> dict[str, float]:
    """Return the figures by name, each the median of `repeats` runs after one to warm up."""
    # Samples that only serve a confidence would be counted as imagining.
    imagination = Imagination.from_checkpoint(
        checkpoint, options=Options(confidence_samples=0))
    views, question = _observation()

    def seconds(request) -> dict[str, float]:
        runs = [_phases(imagination, views, request) for _ in range(repeats + 1)][1:]
        return {name: median(run.get(name, 0.0) for run in runs) for name in runs[0]}

    answer = seconds(AskRequest(mode='answer', **question))
    both = seconds(AskRequest(mode='imagine', **question))
    drawn = seconds(BevRequest())
    return {
        'seconds to answer': answer['whole'],
        'seconds to imagine and answer': both['whole'],
        'seconds to imagine': drawn['whole'],
        'seconds a step of imagining': drawn['imagine'] / drawn['steps'],
        'steps of imagining': drawn['steps'],
        'tokens a second': _tokens_a_second(imagination.model, repeats),
    }


def _observation() -> tuple[list[View], dict]:
    """Return what the robot sees at a counting question of the demo, and the question."""
    simulator = make_simulator()
    try:
        request = plan(simulator, SEED)[0]
        simulator.reset(request.scene)
        simulator.teleport(request.pose)
        views = []
        for spec in simulator.cameras:
            frame = simulator.render(spec, instance=False)
            views.append(View(
                spec.name, frame.rgb, frame.intrinsics, spec.optical_in_base, frame.depth))
    finally:
        simulator.close()
    return views, {
        'question': request.question, 'choices': request.choices, 'task': request.task,
        'cameras': CAMERAS}


def _phases(imagination: Imagination, views: list[View], request) -> dict[str, float]:
    """Return the seconds of each phase and of the whole, and the number of steps."""
    steps = 0

    def note(progress) -> None:
        nonlocal steps
        steps = progress.total if progress.phase == 'imagine' else steps

    began = perf_counter()
    result = imagination.ask(views, request, note)
    return {**result.phases, 'whole': perf_counter() - began, 'steps': float(steps)}


def _tokens_a_second(model, repeats: int) -> float:
    """Return the speed of writing, one token after the other, after the prompt has been read."""
    prompt = Context(model)
    prompt.add_text(THINK_PROMPT)
    count, spent = 0, 0.0
    for seed in range(repeats + 1):
        context = prompt.fork()
        began = perf_counter()
        # Hot enough to go on for a while: only the speed matters.
        result = generate_text(context, max_tokens=TOKENS, temperature=2.0, seed=seed)
        if seed:  # the first one warms up
            count, spent = count + len(result.tokens), spent + perf_counter() - began
    return count / spent
