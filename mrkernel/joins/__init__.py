"""Joins: what is to be joined, which columns that gives, and whether one side is sent whole or both are shuffled."""

from __future__ import annotations

from mrkernel.joins.columns import JoinColumns, KeyPair, OutColumn, join_columns
from mrkernel.joins.plan import JoinPlan, plan_join
from mrkernel.joins.sides import LEFT, RIGHT, Sides
from mrkernel.joins.spec import HOWS, Join

__all__ = [
    "HOWS",
    "LEFT",
    "RIGHT",
    "Join",
    "JoinColumns",
    "JoinPlan",
    "KeyPair",
    "OutColumn",
    "Sides",
    "join_columns",
    "plan_join",
]
