"""Notices whose recipients or pay-to account changed before they left: written anew, and approved anew if they were.

A notice whose chosen recipients are all still contacts of its payer goes on as it is, with the file's new version.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier import superseding
from services.notifier.recipients import chosen, typed
from services.notifier.store import deliveries, facts, mail, notices
from services.notifier.store.pairs import Pair
from services.notifier.tables import notice


async def follow(db: AsyncConnection, news: Collection[Pair], at: datetime) -> None:
    """These payers' files changed."""
    rows = await notices.lock(
        db, await notices.open_where(db, notice.c.payer_id, set(news)), states=("proposed", "ready")
    )
    keys = {(row.tenant_id, row.notice_id) for row in rows}
    attempts = await deliveries.of_notices(db, keys) if keys else []
    files, contacts = await facts.debtors(db, news), await facts.contacts(db, news)
    same: dict[Pair, int] = {}
    for row in rows:
        payer = (row.tenant_id, row.payer_id)
        mine = {each.recipient for each in attempts if each.notice_id == row.notice_id}
        copies = {copy for each in attempts if each.notice_id == row.notice_id for copy in deliveries.copies(each.cc)}
        file = files[payer]
        known = {typed(each) for each in (*(one.email for one in contacts[payer]), file.sales_owner, file.collector)}
        suppressed = await mail.suppressed(db, row.tenant_id, [each.email for each in contacts[payer] if each.email])
        now = {each.email for each in chosen(contacts[payer], row.audience, suppressed)}
        fits = mine == now or bool(row.recipients and set(row.recipients) <= now)
        if not mine or (fits and copies <= known):
            same[row.tenant_id, row.notice_id] = files[payer].version
        elif row.kind == "internal_notice":
            continue
        else:
            await _again(db, row, at)
    if same:
        await deliveries.read_by_payer(db, set(same), same)


async def write_again(db: AsyncConnection, asked: Collection[Pair], at: datetime) -> None:
    """Something that every one of these prints changed."""
    for row in await notices.lock(db, asked, states=("proposed", "ready")):
        await _again(db, row, at)


async def _again(db: AsyncConnection, row: Any, at: datetime) -> None:
    key = (row.tenant_id, row.notice_id)
    if await superseding.begun(db, row):
        await superseding.stop_deliveries(db, row, at)
        return
    lines = (await notices.lines(db, {key}))[row.notice_id]
    await superseding.replace(db, row, lines, lines, at, again=True, recipients=None)
