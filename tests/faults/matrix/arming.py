"""How a row of the matrix makes the token endpoint fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faults.matrix.cases import Case
from faults.matrix.faults import NO_TIME_TO_WAIT
from talend_simulator.faults import Fault as TalendFault


def always(fault: TalendFault) -> Callable[[Case], None]:
    return lambda case: case.world.talend.faults.add(fault, times=None)


def once(fault: TalendFault) -> Callable[[Case], None]:
    return lambda case: case.world.talend.faults.add(fault, times=1)


def cut_short(fault: TalendFault, seconds: float = NO_TIME_TO_WAIT) -> Callable[[Case], None]:
    """The function's time is nearly over, so that a server that never ends is left at once."""

    def arm(case: Case) -> None:
        case.seconds = seconds
        case.world.talend.faults.add(fault, times=None)

    return arm


def setting(**changes: Any) -> Callable[[Case], None]:
    return lambda case: case.world.talend.settings.change(changes)
