# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Parameters of a node from one table: a frozen dataclass whose fields are the parameters.

    @dataclass(frozen=True)
    class Settings:
        slop: float = parameter(0.05, 'Most seconds between ...', low=0.0, high=10.0)

`Parameters` makes them known with description and range, and returns a filled `Settings`. A value
that is set while it could have no effect is refused, never swallowed.
"""

from collections.abc import Callable, Iterable
import dataclasses
import math
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

T = TypeVar('T')
# When a new value takes effect: the next time that the node reads its parameters, at once, or
# only where the node is started with it.
APPLIES = ('when read', 'at once', 'at start')


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
    applies: str = 'when read',
) -> Any:
    """
    Return a dataclass field that is a ROS parameter.

    low, high: the range of a number (give both or none). choices: the allowed strings. name: the
    parameter's name where it is not the field's, for instance with a dot in it. applies: one of
    `APPLIES`.
    """
    if applies not in APPLIES:
        raise ValueError(f'applies must be one of {APPLIES}, got {applies!r}')
    return dataclasses.field(default=default, metadata={
        'name': name, 'description': description, 'low': low, 'high': high,
        'choices': tuple(choices), 'applies': applies})


def _name(field: dataclasses.Field) -> str:
    return field.metadata['name'] or field.name


def _descriptor(name: str, field: dataclasses.Field) -> ParameterDescriptor:
    meta = field.metadata
    descriptor = ParameterDescriptor(name=name, description=meta['description'])
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


class Parameters(Generic[T]):
    """The parameters of one node: declared from a table, checked, and in use or not."""

    def __init__(self, node: Node, table: type[T], remedy: str, prefix: str = '',
                 defaults: T | None = None):
        """
        Declare every field of the table on the node.

        remedy: what makes the node read its parameters again, for the refusal of a value that is
        set while the others are in use. prefix: what their names begin with. defaults: where they
        are not the table's own. Raises rclpy's ParameterException for values at the start that are
        outside of their range or choices; nothing is declared then.
        """
        self._node = node
        self._table = table
        self._remedy = remedy
        self._fields = {prefix + _name(field): field for field in dataclasses.fields(table)}
        self._declared = False
        self._used: T | None = None
        self._on_change: Callable[[T], None] | None = None
        # First the check, so that values given at the start are refused as well.
        node.add_on_set_parameters_callback(self._check)
        try:
            for name, field in self._fields.items():
                default = field.default if defaults is None else getattr(defaults, field.name)
                node.declare_parameter(
                    name, list(default) if isinstance(default, tuple) else default,
                    _descriptor(name, field))
        except Exception:
            self._undeclare()
            raise
        self._declared = True
        node.add_post_set_parameters_callback(self._after_set)

    def withdraw(self) -> None:
        """Undeclare all of them, for values that are of use for a while only."""
        self._node.remove_post_set_parameters_callback(self._after_set)
        self._undeclare()

    def _undeclare(self) -> None:
        self._node.remove_on_set_parameters_callback(self._check)
        for name in filter(self._node.has_parameter, self._fields):
            self._node.undeclare_parameter(name)

    def read(self) -> T:
        """Return the table filled with the present values; lists become tuples."""
        values = {}
        for name, field in self._fields.items():
            values[field.name] = _value(field, self._node.get_parameter(name).value)
        return self._table(**values)

    def use(self, on_change: Callable[[T], None] | None = None) -> T:
        """
        Return the table; from now on, values that are only read here cannot be set any more.

        on_change: called with the new table when values that apply at once were set.
        """
        self._used, self._on_change = self.read(), on_change
        return self._used

    def release(self) -> None:
        """Let all values be set again, until they are next in use."""
        self._used = self._on_change = None

    def replace(self, **changes: Any) -> T:
        """Set values that the node itself has put to use; return the table with them."""
        self._used = dataclasses.replace(self._used, **changes)
        # Together: what is told of a change must not see half of it.
        self._node.set_parameters_atomically([
            Parameter(name, value=changes[field.name])
            for name, field in self._fields.items() if field.name in changes])
        return self._used

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        for item in parameters:
            field = self._fields.get(item.name)
            reason = field and self._refusal(field, item)
            if reason:
                return SetParametersResult(
                    successful=False, reason=f"parameter '{item.name}' {reason}")
        return SetParametersResult(successful=True)

    def _refusal(self, field: dataclasses.Field, item: Parameter) -> str:
        """Return why a value cannot be set, '' where it can."""
        meta, value = field.metadata, item.value
        if meta['choices'] and value not in meta['choices']:
            return f"is '{value}'; expected one of: {_listed(meta['choices'])}"
        if isinstance(value, float) and not math.isfinite(value):
            return f'is {value}; expected a finite number'
        if not self._declared:
            return ''
        if meta['applies'] == 'at start':
            present = self._node.get_parameter(item.name).value
            if value != present:
                return f'is {present} and read at the start only; start the node with {value}'
        if meta['applies'] == 'when read' and self._used is not None:
            present = getattr(self._used, field.name)
            if _value(field, value) != present:
                return f'is {present} and in use: {self._remedy}'
        return ''

    def _after_set(self, parameters: list[Parameter]) -> None:
        names = {item.name for item in parameters}
        if self._used is None or self._on_change is None or not any(
                field.metadata['applies'] == 'at once'
                for name, field in self._fields.items() if name in names):
            return
        self._used = self.read()
        self._on_change(self._used)


class ParameterGroups(Generic[T]):
    """
    One table for each of some names, as in 'front.driver' and 'left.driver'.

    The names are parameters themselves, so what belongs to them is declared when they are in use.
    """

    def __init__(self, node: Node, table: type[T], remedy: str):
        """Declare nothing yet; see `Parameters`."""
        self._node = node
        self._table = table
        self._remedy = remedy
        self._groups: dict[str, Parameters[T]] = {}

    def use(self, names: Iterable[str]) -> dict[str, T]:
        """
        Return the table of each name; from now on, their values cannot be set any more.

        Those of names that are no longer among them are gone. Raises ParameterError.
        """
        names = tuple(names)
        for name in set(self._groups) - set(names):
            self._groups.pop(name).withdraw()
        for name in names:
            if name not in self._groups:
                try:
                    self._groups[name] = Parameters(
                        self._node, self._table, self._remedy, prefix=f'{name}.')
                except ParameterException as error:
                    raise ParameterError(str(error)) from error
        return {name: self._groups[name].use() for name in names}

    def release(self) -> None:
        """Let all values be set again, until they are next in use."""
        for group in self._groups.values():
            group.release()


def _value(field: dataclasses.Field, value: Any) -> Any:
    return tuple(value) if isinstance(field.default, tuple) and value is not None else value
