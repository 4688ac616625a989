"""Why a payer disputes an invoice: our own list, and what the codes of the French e-invoicing lifecycle mean in it.

The codes are those that the lifecycle message (CDAR) of AFNOR XP Z12-012 lets stand behind 206 approved in part,
207 in dispute and 208 suspended. A platform's code is kept as it came; its reason is ours.
"""

from collections.abc import Mapping
from typing import Literal, get_args

Reason = Literal[
    "price", "quantity", "quality", "delivery", "not_ordered", "already_paid", "duplicate", "terms", "invoice_data",
    "other",
]  # fmt: skip
Code = Literal[
    "AUTRE", "COORD_BANC_ERR", "TX_TVA_ERR", "MONTANTTOTAL_ERR", "CALCUL_ERR", "NON_CONFORME", "DOUBLON", "DEST_INC",
    "DEST_ERR", "TRANSAC_INC", "EMMET_INC", "CONTRAT_TERM", "DOUBLE_FACT", "CMD_ERR", "ADR_ERR", "SIRET_ERR",
    "CODE_ROUTAGE_ERR", "REF_CT_ABSENT", "REF_ERR", "PU_ERR", "REM_ERR", "QTE_ERR", "ART_ERR", "MODPAI_ERR",
    "QUALITE_ERR", "LIVR_INCOMP",
]  # fmt: skip
Status = Literal[206, 207, 208]
CODES: tuple[Code, ...] = get_args(Code)
_OURS: Mapping[Reason, tuple[Code, ...]] = {
    "price": ("MONTANTTOTAL_ERR", "CALCUL_ERR", "PU_ERR", "REM_ERR"),
    "quantity": ("QTE_ERR",),
    "quality": ("QUALITE_ERR",),
    "delivery": ("LIVR_INCOMP", "ART_ERR"),
    "not_ordered": ("TRANSAC_INC", "EMMET_INC"),
    "already_paid": (),
    "duplicate": ("DOUBLON", "DOUBLE_FACT"),
    "terms": ("CONTRAT_TERM", "MODPAI_ERR"),
    "invoice_data": (
        "COORD_BANC_ERR", "TX_TVA_ERR", "NON_CONFORME", "DEST_INC", "DEST_ERR", "CMD_ERR", "ADR_ERR", "SIRET_ERR",
        "CODE_ROUTAGE_ERR", "REF_CT_ABSENT", "REF_ERR",
    ),
    "other": ("AUTRE",),
}  # fmt: skip


def reason_of(code: Code) -> Reason:
    """Our reason for a code of the lifecycle."""
    return next(reason for reason, codes in _OURS.items() if code in codes)
