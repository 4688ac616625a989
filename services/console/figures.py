"""What stood at the end of days, as the pages count it: the figures of `libs/common/standing.py`."""

from libs.common.standing import MONTHS, PERIOD, Standing, month_ends, month_lengths, month_starts, together

__all__ = ["MONTHS", "PERIOD", "Standing", "month_ends", "month_lengths", "month_starts", "together"]
