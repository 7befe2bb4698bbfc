# SPDX-License-Identifier: Apache-2.0
"""Parameters from a table, and the file that explains them."""

from dataclasses import dataclass, fields
from pathlib import Path

from ipt_ros.nodes.imagination_settings import Settings
from ipt_ros.ros.parameters import declare, parameter, ParameterError, read
import pytest
import rclpy
from rclpy.exceptions import InvalidParameterValueException
from rclpy.parameter import Parameter
import yaml

CONFIG = Path(__file__).parents[2] / 'config' / 'imagination.yaml'


@dataclass(frozen=True)
class Table:
    """One parameter of each sort."""

    flavour: str = parameter('sweet', 'Of the tea.', choices=('sweet', 'sour'))
    cups: int = parameter(2, 'How many.', low=0, high=5)
    warmth: float = parameter(0.5, 'Between cold and hot.', low=0.0, high=1.0)
    guests: tuple = parameter(('ada', 'alan'), 'Who comes.')
    hat: bool = parameter(True, 'Whether a hatter is there.', name='mad.hat')


@pytest.fixture
def make_node():
    """Give a function that makes a node with overrides; nothing of it is seen by other nodes."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=63)
    nodes = []

    def make(**overrides):
        nodes.append(rclpy.create_node('party', context=context, parameter_overrides=[
            Parameter(name, value=value) for name, value in overrides.items()]))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.ros
def test_defaults_and_overrides(make_node):
    node = make_node(cups=3, **{'mad.hat': False})
    declare(node, Table)
    assert read(node, Table) == Table(cups=3, hat=False)
    node.set_parameters([Parameter('guests', value=['grace'])])
    assert read(node, Table).guests == ('grace',)
    descriptor = node.describe_parameter('warmth')
    assert descriptor.description == 'Between cold and hot.'
    assert descriptor.floating_point_range[0].to_value == 1.0
    assert 'sour' in node.describe_parameter('flavour').additional_constraints


@pytest.mark.ros
@pytest.mark.parametrize('name,value', [('flavour', 'salty'), ('cups', 6), ('warmth', -0.1)])
def test_values_outside_are_refused_at_the_start_and_later(make_node, name, value):
    with pytest.raises(InvalidParameterValueException):
        declare(make_node(**{name: value}), Table)
    node = make_node()
    declare(node, Table)
    result, = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful and name in result.reason
    assert read(node, Table) == Table()


def test_the_file_explains_every_parameter_with_its_default():
    given = yaml.safe_load(CONFIG.read_text())['/**/imagination']['ros__parameters']
    flat = {}
    for name, value in given.items():
        if isinstance(value, dict):
            flat |= {f'{name}.{key}': inner for key, inner in value.items()}
        else:
            flat[name] = tuple(value) if isinstance(value, list) else value
    defaults = {f.metadata['name'] or f.name: f.default for f in fields(Settings)}
    assert flat == defaults
    assert {name: type(value) for name, value in flat.items()} == {
        name: type(value) for name, value in defaults.items()}


def test_camera_names_must_make_sense():
    assert Settings(cameras=('a', 'b')).camera_settings().names == ('a', 'b')
    for names in ((), ('a', 'a'), ('',)):
        with pytest.raises(ParameterError, match="'cameras'"):
            Settings(cameras=names).camera_settings()
