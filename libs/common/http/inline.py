"""Dependencies that only look something up run where they are asked, not in a thread of a pool."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request

Found = TypeVar("Found")


def inline(look: Callable[[Request], Found]) -> Callable[[Request], Awaitable[Found]]:
    """`Depends(inline(here))`: FastAPI sends a plain function to a thread, which costs more than most routes do."""

    async def found(request: Request) -> Found:
        return look(request)

    return found
