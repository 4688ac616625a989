"""The calls of the README, pasted into a terminal of somebody who has a company on a running stack."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.common.settings import PORTS
from tests.support import eventually
from tests.support.living import Living
from tests.support.shell import Shell

ROOT = Path(__file__).parents[2]
CUT = "=== cut ==="


@pytest.fixture(scope="module")
async def shell(stack: Living, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A tenant and an entity of its own, as the README makes them."""
    found = Shell.at(stack, tmp_path_factory.mktemp("files"))
    await found.relance("tenant", "create", "Exemple", "--admin-email", "moi@exemple.example", "--json")
    await found.relance("entity", "create", "Exemple", "--sender-email", "compta@exemple.example", "--json")
    return found


def _pasted(stack: Living) -> str:
    """Every block of the section, for the ports and the folder of this stack."""
    section = (ROOT / "README.md").read_text("utf-8").split("## The API in five calls")[1].split("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.S | re.M)
    script = f"\necho '{CUT}'\n".join(blocks).replace(".state/", f"{stack.settings.state}/")
    for service, port in PORTS.items():
        script = script.replace(f"localhost:{port}", f"localhost:{stack.settings.ports[service]}")
    return script


async def _answers(stack: Living, shell: Shell) -> list[Any]:
    pasting = await asyncio.create_subprocess_exec(
        "bash", "-c", _pasted(stack), cwd=ROOT, env=os.environ | shell.env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(pasting.communicate(), 90)
    assert not err, err.decode()
    return [json.loads(part) if part.strip().startswith("{") else part.strip() for part in out.decode().split(CUT)]


async def test_the_calls_of_the_readme_work_as_pasted_and_again(stack: Living, shell: Shell) -> None:
    _, one, batch, payment, statement, why, webhook = await _answers(stack, shell)
    assert (one["result"], batch["counts"], payment["result"]) == ("created", {"created": 2}, "created")
    assert [each["payments"] for each in statement["statements"]] == [1]
    assert (why["number"], why["residual"]) == ("EX-7303", {"amount": "960.00", "currency": "EUR"})
    assert why["reasons"][0]["en"] and why["reasons"][0]["fr"]
    assert str(webhook).startswith("created ")
    await eventually(lambda: _owed(stack), 60)
    _, one, batch, payment, *_ = await _answers(stack, shell)
    assert (one["result"], batch["counts"], payment["result"]) == ("unchanged", {"unchanged": 2}, "unchanged")


async def _owed(stack: Living) -> bool:
    """Whether the payment and the statement have paid what the README says."""
    key = json.loads((stack.settings.state / "credentials.json").read_text())["api_key"]
    headers, url = {"authorization": f"Bearer {key}"}, stack.settings.urls["payment_matching"] + "/v1/open-items"
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        items = (await client.get(url)).raise_for_status().json()["items"]
    return {one["residual"]["amount"] for one in items} == {"960.00", "75.00"}
