"""
Python model 'growth.py'
Translated using PySD
"""

from pathlib import Path
import numpy as np

from pysd.py_backend.statefuls import Delay, Integ
from pysd import Component

__pysd_version__ = "3.14.3"

__data = {"scope": None, "time": lambda: 0}

_root = Path(__file__).parent


component = Component()

#######################################################################
#                          CONTROL VARIABLES                          #
#######################################################################

_control_vars = {
    "initial_time": lambda: 0,
    "final_time": lambda: 40,
    "time_step": lambda: 0.0625,
    "saveper": lambda: time_step(),
}


def _init_outer_references(data):
    for key in data:
        __data[key] = data[key]


@component.add(name="Time")
def time():
    """
    Current time of the model.
    """
    return __data["time"]()


@component.add(
    name="INITIAL TIME", units="year", comp_type="Constant", comp_subtype="Normal"
)
def initial_time():
    """
    The initial time for the simulation.
    """
    return __data["time"].initial_time()


@component.add(
    name="FINAL TIME", units="year", comp_type="Constant", comp_subtype="Normal"
)
def final_time():
    """
    The final time for the simulation.
    """
    return __data["time"].final_time()


@component.add(
    name="TIME STEP", units="year", comp_type="Constant", comp_subtype="Normal"
)
def time_step():
    """
    The time step for the simulation.
    """
    return __data["time"].time_step()


@component.add(
    name="SAVEPER",
    units="year",
    comp_type="Auxiliary",
    comp_subtype="Normal",
    depends_on={"time_step": 1},
)
def saveper():
    """
    The save time step for the simulation.
    """
    return __data["time"].saveper()


#######################################################################
#                           MODEL VARIABLES                           #
#######################################################################


@component.add(
    name="load",
    comp_type="Auxiliary",
    comp_subtype="Normal",
    depends_on={"customers": 1, "capacity": 1},
)
def load():
    return customers() / capacity()


@component.add(
    name="service",
    comp_type="Auxiliary",
    comp_subtype="Normal",
    depends_on={"load": 1, "steepness": 1},
)
def service():
    return 1 / (1 + load() ** steepness()) * 2


@component.add(
    name="orders",
    comp_type="Auxiliary",
    comp_subtype="Normal",
    depends_on={
        "customers": 1,
        "buffer": 1,
        "capacity": 1,
        "order_time": 1,
        "wearing": 1,
    },
)
def orders():
    return (
        float(np.maximum(0, customers() * buffer() - capacity())) / order_time()
        + wearing()
    )


@component.add(name="customers0", comp_type="Constant", comp_subtype="Normal")
def customers0():
    return 100


@component.add(name="capacity0", comp_type="Constant", comp_subtype="Normal")
def capacity0():
    return 200


@component.add(name="market", comp_type="Constant", comp_subtype="Normal")
def market():
    return 100000


@component.add(name="word_of_mouth", comp_type="Constant", comp_subtype="Normal")
def word_of_mouth():
    return 0.9


@component.add(name="seed", comp_type="Constant", comp_subtype="Normal")
def seed():
    return 20


@component.add(name="churn", comp_type="Constant", comp_subtype="Normal")
def churn():
    return 0.15


@component.add(name="build_time", comp_type="Constant", comp_subtype="Normal")
def build_time():
    return 1.5


@component.add(name="order_time", comp_type="Constant", comp_subtype="Normal")
def order_time():
    return 0.75


@component.add(name="life", comp_type="Constant", comp_subtype="Normal")
def life():
    return 12


@component.add(name="notice_time", comp_type="Constant", comp_subtype="Normal")
def notice_time():
    return 1


@component.add(name="steepness", comp_type="Constant", comp_subtype="Normal")
def steepness():
    return 2.5


@component.add(name="buffer", comp_type="Constant", comp_subtype="Normal")
def buffer():
    return 1.2


@component.add(
    name="joining",
    comp_type="Auxiliary",
    comp_subtype="Normal",
    depends_on={
        "word_of_mouth": 1,
        "quality": 1,
        "customers": 2,
        "market": 1,
        "seed": 1,
    },
)
def joining():
    return (
        word_of_mouth() * quality() * customers() * (1 - customers() / market())
        + seed()
    )


@component.add(
    name="leaving",
    comp_type="Auxiliary",
    comp_subtype="Normal",
    depends_on={"customers": 1, "churn": 1, "quality": 1},
)
def leaving():
    return customers() * churn() / float(np.maximum(quality(), 0.1))


@component.add(
    name="building",
    comp_type="Stateful",
    comp_subtype="Delay",
    depends_on={"_delay_building": 1},
    other_deps={
        "_delay_building": {
            "initial": {"orders": 1, "build_time": 1},
            "step": {"orders": 1, "build_time": 1},
        }
    },
)
def building():
    return _delay_building()


_delay_building = Delay(
    lambda: orders(),
    lambda: build_time(),
    lambda: orders(),
    lambda: 3,
    time_step,
    "_delay_building",
)


@component.add(
    name="wearing",
    comp_type="Auxiliary",
    comp_subtype="Normal",
    depends_on={"capacity": 1, "life": 1},
)
def wearing():
    return capacity() / life()


@component.add(
    name="learning",
    comp_type="Auxiliary",
    comp_subtype="Normal",
    depends_on={"service": 1, "quality": 1, "notice_time": 1},
)
def learning():
    return (service() - quality()) / notice_time()


@component.add(
    name="spending",
    comp_type="Auxiliary",
    comp_subtype="Normal",
    depends_on={"building": 1},
)
def spending():
    return building()


@component.add(
    name="customers",
    comp_type="Stateful",
    comp_subtype="Integ",
    depends_on={"_integ_customers": 1},
    other_deps={
        "_integ_customers": {
            "initial": {"customers0": 1},
            "step": {"joining": 1, "leaving": 1},
        }
    },
)
def customers():
    return _integ_customers()


_integ_customers = Integ(
    lambda: joining() - leaving(), lambda: customers0(), "_integ_customers"
)


@component.add(
    name="capacity",
    comp_type="Stateful",
    comp_subtype="Integ",
    depends_on={"_integ_capacity": 1},
    other_deps={
        "_integ_capacity": {
            "initial": {"capacity0": 1},
            "step": {"building": 1, "wearing": 1},
        }
    },
)
def capacity():
    return _integ_capacity()


_integ_capacity = Integ(
    lambda: building() - wearing(), lambda: capacity0(), "_integ_capacity"
)


@component.add(
    name="quality",
    comp_type="Stateful",
    comp_subtype="Integ",
    depends_on={"_integ_quality": 1},
    other_deps={"_integ_quality": {"initial": {}, "step": {"learning": 1}}},
)
def quality():
    return _integ_quality()


_integ_quality = Integ(lambda: learning(), lambda: 1, "_integ_quality")


@component.add(
    name="spent",
    comp_type="Stateful",
    comp_subtype="Integ",
    depends_on={"_integ_spent": 1},
    other_deps={"_integ_spent": {"initial": {}, "step": {"spending": 1}}},
)
def spent():
    return _integ_spent()


_integ_spent = Integ(lambda: spending(), lambda: 0, "_integ_spent")
