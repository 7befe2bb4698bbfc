# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters from a table, and the file that explains them."""

from dataclasses import dataclass, fields
from pathlib import Path

from ipt_ros.nodes.imagination_settings import Settings
from ipt_ros.ros.parameters import parameter, ParameterError, ParameterGroups, Parameters
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
    riddle: str = parameter('raven', 'Asked next.', applies='at once')
    hour: int = parameter(6, 'At which it always is.', applies='at start')


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
    parameters = Parameters(node, Table, 'wait')
    assert parameters.read() == Table(cups=3, hat=False)
    node.set_parameters([Parameter('guests', value=['grace'])])
    assert parameters.read().guests == ('grace',)
    descriptor = node.describe_parameter('warmth')
    assert descriptor.description == 'Between cold and hot.'
    assert descriptor.floating_point_range[0].to_value == 1.0
    assert 'sour' in node.describe_parameter('flavour').additional_constraints


@pytest.mark.ros
@pytest.mark.parametrize('name,value', [
    ('flavour', 'salty'), ('cups', 6), ('warmth', -0.1), ('warmth', float('nan'))])
def test_values_outside_are_refused_at_the_start_and_later(make_node, name, value):
    with pytest.raises(InvalidParameterValueException):
        Parameters(make_node(**{name: value}), Table, 'wait')
    node = make_node()
    parameters = Parameters(node, Table, 'wait')
    result, = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful and name in result.reason
    assert parameters.read() == Table()


@pytest.mark.ros
def test_a_value_that_is_in_use_is_refused_until_it_is_released(make_node):
    node = make_node()
    parameters = Parameters(node, Table, 'drink up first')

    def set_to(name, value):
        result, = node.set_parameters([Parameter(name, value=value)])
        return result.reason or result.successful

    assert set_to('cups', 3) is True
    parameters.use()
    for name, value in (('cups', 4), ('guests', ['grace']), ('mad.hat', False)):
        reason = set_to(name, value)
        assert name in reason and 'in use' in reason and 'drink up first' in reason
    assert set_to('cups', 3) is True  # as it is
    assert parameters.read() == Table(cups=3)
    parameters.release()
    assert set_to('cups', 4) is True
    assert parameters.use() == Table(cups=4)


@pytest.mark.ros
def test_a_value_that_applies_at_once_is_told_while_the_others_are_in_use(make_node):
    node = make_node()
    parameters = Parameters(node, Table, 'wait')
    told = []
    node.set_parameters([Parameter('riddle', value='desk')])
    parameters.use(told.append)
    node.set_parameters([Parameter('riddle', value='owl')])
    assert told == [Table(riddle='owl')]
    # All or nothing: what comes together with a value that is refused is not used either.
    result = node.set_parameters_atomically(
        [Parameter('riddle', value='bat'), Parameter('cups', value=5)])
    assert not result.successful and len(told) == 1 and parameters.read().riddle == 'owl'
    # The node itself may put new values to use, and they are what is in use from then on.
    assert parameters.replace(cups=5, riddle='bat') == Table(cups=5, riddle='bat')
    assert told[1:] == [Table(cups=5, riddle='bat')]
    result, = node.set_parameters([Parameter('cups', value=1)])
    assert not result.successful and '5' in result.reason


@pytest.mark.ros
def test_a_value_of_the_start_cannot_be_set_later(make_node):
    node = make_node(hour=5)
    parameters = Parameters(node, Table, 'wait')
    result, = node.set_parameters([Parameter('hour', value=4)])
    assert not result.successful and 'at the start only' in result.reason
    assert parameters.read().hour == 5


@pytest.mark.ros
def test_a_table_may_have_a_prefix_and_other_defaults_and_be_withdrawn(make_node):
    node = make_node(**{'two.cups': 4})
    parameters = Parameters(node, Table, 'wait', 'two.', Table(guests=('grace',), cups=1))
    assert parameters.read() == Table(guests=('grace',), cups=4)
    assert node.describe_parameter('two.warmth').name == 'two.warmth'
    result, = node.set_parameters([Parameter('two.cups', value=9)])
    assert not result.successful and 'two.cups' in result.reason
    parameters.withdraw()
    assert not node.has_parameter('two.cups') and not node.has_parameter('two.mad.hat')
    assert Parameters(node, Table, 'wait', 'two.').read() == Table(cups=4)


@pytest.mark.ros
def test_of_a_table_with_a_bad_value_nothing_is_declared(make_node):
    node = make_node(warmth=7.0)
    for _ in range(2):
        with pytest.raises(InvalidParameterValueException):
            Parameters(node, Table, 'wait')
        assert not node.has_parameter('flavour') and not node.has_parameter('warmth')


@pytest.mark.ros
def test_each_name_has_a_table_that_is_in_use_until_it_is_released(make_node):
    node = make_node(**{'ada.cups': 1, 'alan/b.flavour': 'sour', 'kurt.flavour': 'salty'})
    groups = ParameterGroups(node, Table, 'drink up first')
    assert groups.use(['ada', 'alan/b']) == {'ada': Table(cups=1), 'alan/b': Table(flavour='sour')}

    def set_to(name, value):
        result, = node.set_parameters([Parameter(name, value=value)])
        return result.reason or result.successful

    reason = set_to('ada.cups', 3)
    assert 'ada.cups' in reason and 'in use' in reason and 'drink up first' in reason
    groups.release()
    assert set_to('ada.cups', 3) is True
    assert 'sweet, sour' in set_to('ada.flavour', 'salty')
    assert groups.use(['ada']) == {'ada': Table(cups=3)}
    assert not node.has_parameter('alan/b.flavour')
    with pytest.raises(ParameterError, match='kurt.flavour.*sweet, sour'):
        groups.use(['ada', 'kurt'])


def test_a_field_must_say_one_of_the_ways_to_apply():
    with pytest.raises(ValueError, match='at once'):
        parameter(1, 'Of no use.', applies='sometimes')


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
