# SPDX-License-Identifier: Apache-2.0
"""
Parameters of a node from one table: a frozen dataclass whose fields are the parameters.

    @dataclass(frozen=True)
    class Settings:
        slop: float = parameter(0.05, 'Most seconds between ...', low=0.0, high=10.0)

`declare` makes them known with description and range, `read` returns a filled `Settings`.
"""

from collections.abc import Iterable
import dataclasses
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

T = TypeVar('T')


class ParameterError(ValueError):
    """A parameter has a value that the node cannot work with."""


def parameter(
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Iterable[str] = (),
    name: str = '',
) -> Any:
    """
    Return a dataclass field that is a ROS parameter.

    low, high: the range of a number (give both or none). choices: the allowed strings. name: the
    parameter's name where it is not the field's, for instance with a dot in it.
    """
    return dataclasses.field(default=default, metadata={
        'name': name, 'description': description, 'low': low, 'high': high,
        'choices': tuple(choices)})


def _name(field: dataclasses.Field) -> str:
    return field.metadata['name'] or field.name


def _descriptor(field: dataclasses.Field) -> ParameterDescriptor:
    meta = field.metadata
    descriptor = ParameterDescriptor(name=_name(field), description=meta['description'])
    if meta['low'] is not None:
        if isinstance(field.default, int):
            descriptor.integer_range = [
                IntegerRange(from_value=meta['low'], to_value=meta['high'], step=0)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(
                from_value=float(meta['low']), to_value=float(meta['high']), step=0.0)]
    if meta['choices']:
        descriptor.additional_constraints = 'one of: ' + _listed(meta['choices'])
    return descriptor


def _listed(choices: Iterable[str]) -> str:
    return ', '.join(choice or "''" for choice in choices)


def declare(node: Node, table: type) -> None:
    """Declare every field of the table on the node, and refuse values outside its choices."""
    choices = {_name(f): f.metadata['choices'] for f in dataclasses.fields(table)
               if f.metadata['choices']}

    def check(parameters: list[Parameter]) -> SetParametersResult:
        for item in parameters:
            allowed = choices.get(item.name)
            if allowed and item.value not in allowed:
                return SetParametersResult(successful=False, reason=(
                    f"parameter '{item.name}' is '{item.value}'; expected one of: "
                    f'{_listed(allowed)}'))
        return SetParametersResult(successful=True)

    # First the check, so that values given at the start are refused as well.
    node.add_on_set_parameters_callback(check)
    for field in dataclasses.fields(table):
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        node.declare_parameter(_name(field), default, _descriptor(field))


def read(node: Node, table: type[T]) -> T:
    """Return the table filled with the node's present values; lists become tuples."""
    values = {}
    for field in dataclasses.fields(table):
        value = node.get_parameter(_name(field)).value
        values[field.name] = tuple(value) if isinstance(field.default, tuple) else value
    return table(**values)
