"""The few words of the layout that no template carries."""

from services.notifier.wording import Language

LABELS: dict[Language, dict[str, str]] = {
    "fr": {
        "number": "Facture",
        "issued": "Émise le",
        "due": "Échéance",
        "amount": "Montant TTC",
        "residual": "Reste dû",
        "late": "Jours de retard",
        "paused": "Dont suspendu, litige ou accord en cours\u00a0:",
        "deducted": "À déduire, règlements et avoirs non affectés\u00a0:",
        "total": "Total dû\u00a0:",
        "more": "Ce tableau présente les {shown} plus anciennes factures sur {count} ; le relevé complet est joint.",
        "history": "Nos précédents messages\u00a0:",
        "holder": "Bénéficiaire\u00a0:",
        "iban": "IBAN\u00a0:",
        "bic": "BIC\u00a0:",
        "reference": "Référence à rappeler\u00a0:",
        "statement": "releve",
        "copies": "Les copies de toutes les factures de ce message :",
    },
    "en": {
        "number": "Invoice",
        "issued": "Issued",
        "due": "Due",
        "amount": "Amount incl. VAT",
        "residual": "Outstanding",
        "late": "Days late",
        "paused": "Of which paused, query or agreement under way:",
        "deducted": "Less payments and credits on account:",
        "total": "Total due:",
        "more": "This table shows the {shown} oldest of {count} invoices; the full statement is attached.",
        "history": "Our earlier messages:",
        "holder": "Account holder:",
        "iban": "IBAN:",
        "bic": "BIC:",
        "reference": "Reference to quote:",
        "statement": "statement",
        "copies": "Copies of all the invoices of this message:",
    },
}
