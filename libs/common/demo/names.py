"""Invented names: firms, towns, people. Any likeness to a real one is chance."""

from random import Random

FAMILIES = (
    "Garnier Marchal Besson Ferrand Tissot Colomb Vasseur Lemoine Roussel Chauvet Delorme Perrin Aubry Maillard "
    "Guichard Bonnet Carlier Fournel Leclair Moreau Pasquier Renard Sauvage Thibault Vidal Weber Berthier Cordier "
    "Duval Espinasse Faure Gaillard Hamelin Imbert Joly Kerouedan Lacombe Morvan Navarre Olivier"
).split()
TRADES = (
    "Menuiserie;Charpentes;Boulangerie;Imprimerie;Transports;Pharmacie;Garage;Plomberie;Conserverie;Brasserie;"
    "Laiterie;Domaine;Pépinières;Fonderie;Verrerie;Tôlerie;Maroquinerie;Cartonnages;Papeterie;Quincaillerie;"
    "Biscuiterie;Ateliers;Mécanique;Électricité;Peintures"
).split(";")
TOWNS = (
    "Saint-Aubin;Villeneuve-sur-Lot;Montbrison;Ancenis;Châteaubriant;Vienne;Roanne;Bourgoin;Saint-Nazaire;Lens;Douai;"
    "Valenciennes;Annonay;Cholet;Les Herbiers;Fougères;Vitré;Redon;Oyonnax;Bellegarde"
).split(";")
FIRST = (
    "Camille Claire Sophie Nadia Hélène Julien Karim Laurent Mathilde Nicolas Pauline Quentin Romain Sandrine Thomas "
    "Valérie Yann Aurélie Bruno Cécile"
).split()
FORMS = ("SAS", "SARL", "SA", "SAS", "SARL")


def firm(random: Random) -> str:
    """A private firm's name, such as `Menuiserie Garnier SARL`."""
    pattern = random.randrange(4)
    trade, family, town = random.choice(TRADES), random.choice(FAMILIES), random.choice(TOWNS)
    if pattern == 0:
        return f"{trade} {family} {random.choice(FORMS)}"
    if pattern == 1:
        return f"{trade} de {town} {random.choice(FORMS)}"
    if pattern == 2:
        return f"{family} & Fils {random.choice(FORMS)}"
    return f"Établissements {family} {random.choice(FAMILIES)} {random.choice(FORMS)}"


def public_body(random: Random) -> str:
    """A public buyer's name."""
    town = random.choice(TOWNS)
    return random.choice((f"Commune de {town}", f"Centre hospitalier de {town}", f"Syndicat des eaux de {town}"))


def person(random: Random) -> str:
    return f"{random.choice(FIRST)} {random.choice(FAMILIES)}"
