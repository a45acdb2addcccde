"""Who plays in the demo: partners, their customers, and the work that they claim. All invented."""

from typing import Any, NamedTuple
from uuid import UUID, uuid5

from domain.actor import Actor
from domain.vocabulary import Activity, Programme, Role, SolutionArea

_NAMESPACE = UUID("c9b2a1d4-6f0e-5c38-9a17-3d5e8f2b7a60")


class Partner(NamedTuple):
    """A partner organisation, and the person who acts for it."""

    org: str
    name: str
    person: str
    actor: Actor
    domain: str


class Customer(NamedTuple):
    """A customer organisation, and the person who is told about claims."""

    name: str
    domain: str
    person: str
    title: str

    @property
    def tenant_id(self) -> UUID:
        """The directory's id, the same in every run."""
        return uuid5(_NAMESPACE, self.domain)


class Work(NamedTuple):
    """What a partner did for a customer."""

    name: str
    solution_area: SolutionArea
    activities: tuple[Activity, ...]
    products: tuple[str, ...]

    @property
    def programme(self) -> Programme:
        """The programme that such work is assessed for."""
        if Activity.REVENUE_ASSOCIATION in self.activities:
            return Programme.REVENUE_ASSOCIATION
        return Programme.OSA if Activity.PRESALES in self.activities else Programme.OSU


class Part(NamedTuple):
    """A partner, a customer and a piece of work: what one claim is about."""

    number: int
    claim_id: UUID
    partner: Partner
    customer: Customer
    work: Work
    reviewer: Actor
    second_reviewer: Actor
    """Decides disputes: another one than the reviewer who rejected (R12)."""

    def details(self, supersedes: UUID | None) -> dict[str, Any]:
        """The data of `create_claim`."""
        data: dict[str, Any] = {
            "name": self.work.name,
            "mpn_id": str(int(self.partner.org) + 1 + self.number % 4),
            "customer": {
                "name": self.customer.name,
                "domain": self.customer.domain,
                "tenant_id": str(self.customer.tenant_id),
            },
            "solution_area": self.work.solution_area,
            "activities": list(self.work.activities),
            "products": list(self.work.products),
            "customer_contact": {
                "name": self.customer.person,
                "title": self.customer.title,
                "email": f"contact@{self.customer.domain}",
            },
            "partner_contact": {
                "name": self.partner.person,
                "email": f"{self.partner.actor.id}@{self.partner.domain}",
            },
        }
        if self.work.solution_area is SolutionArea.BUSINESS_APPLICATIONS:
            data["subscription_ids"] = [str(uuid5(_NAMESPACE, f"subscription {self.number}"))]
        if supersedes:
            data["supersedes"] = str(supersedes)
        return data


OPERATOR = Actor(role=Role.OPERATOR, id="demo")
AUDITOR = Actor(role=Role.AUDITOR, id="demo")
ASSESSOR = Actor(role=Role.ASSESSOR, id="incentive-assessment")
CUSTOMER = Actor(role=Role.CUSTOMER, id="consent-link")
REVIEWERS = tuple(Actor(role=Role.REVIEWER, id=name) for name in ("deniz", "marta", "kenji"))


def _partner(org: str, name: str, person: str, role: Role, actor_id: str, domain: str) -> Partner:
    return Partner(org, name, person, Actor(role=role, org=org, id=actor_id), f"{domain}.example")


PARTNERS = (
    _partner("1230010", "Anadolu Bulut", "Ayşe Demir", Role.INCENTIVES_ADMIN, "ayse", "anadolu"),
    _partner(
        "2340020", "Nordlicht Systemhaus", "Jonas Brandt", Role.GLOBAL_ADMIN, "jonas", "nlsys"
    ),
    _partner(
        "3450030", "Kestrel & Howe", "Imogen Howe", Role.INCENTIVES_ADMIN, "imogen", "kestrel"
    ),
    _partner("4560040", "Sakura Digital", "Haruka Mori", Role.BILLING_ADMIN, "haruka", "sakura"),
    _partner(
        "5670050", "Lumière Conseil", "Théo Laurent", Role.INCENTIVES_ADMIN, "theo", "lumiere"
    ),
    _partner("6780060", "Çınaraltı Yazılım", "Emre Şahin", Role.INCENTIVES_ADMIN, "emre", "cinar"),
)

_CUSTOMERS = """
Yıldız Tekstil        | yildiz-tekstil  | Selin Kaya         | Chief information officer
Harbour & Finch       | harbour-finch   | Oliver Finch       | Head of IT
Meyer Maschinenbau    | meyer-maschinen | Katrin Meyer       | IT-Leiterin
Ege Zeytin            | ege-zeytin      | Murat Aksoy        | Bilgi işlem müdürü
Hoshino Logistics     | hoshino-log     | Kenta Hoshino      | Operations director
Ateliers Beaumont     | beaumont        | Camille Roux       | Directrice informatique
Karadeniz Lojistik    | karadeniz-loj   | Elif Yılmaz        | IT manager
Fjordkraft Marine     | fjordkraft      | Ingrid Solberg     | Chief information officer
Grupo Alameda         | alameda         | Lucía Romero       | Directora de sistemas
Şimşek Otomotiv       | simsek-oto      | Burak Şimşek       | Genel müdür yardımcısı
Willow Creek Clinics  | willow-creek    | Dana Whitfield     | Chief operating officer
Tatra Stavby          | tatra-stavby    | Peter Kováč        | IT manager
Güneybatı Sigorta     | guneybati       | Zeynep Arslan      | Bilgi teknolojileri direktörü
Oakridge Schools      | oakridge        | Marcus Bell        | Director of technology
Blauwe Molen          | blauwe-molen    | Sanne de Vries     | Hoofd ICT
Kapadokya Turizm      | kapadokya-tur   | Hakan Çelik        | Operations manager
Minato Foods          | minato-foods    | Yui Tanabe         | Systems manager
Costa Verde Hotels    | costa-verde     | Inês Carvalho      | IT director
İncirli Gıda          | incirli-gida    | Deniz Öztürk       | Bilgi işlem müdürü
Granite State Energy  | granite-energy  | Paul Novak         | Chief information officer
Lindqvist Möbler      | lindqvist       | Astrid Lindqvist   | IT-chef
Bosfor Denizcilik     | bosfor-deniz    | Cem Aydın          | Fleet IT manager
Saffron & Rye         | saffron-rye     | Priya Nair         | Head of digital
Alpenblick Pflege     | alpenblick      | Lukas Gruber       | Geschäftsführer
Uludağ Su             | uludag-su       | Gizem Polat        | IT manager
Maple Ridge Credit    | maple-ridge     | Joanne Tremblay    | Vice president, technology
Officine Ferri        | officine-ferri  | Giulia Ferri       | Responsabile IT
Trakya Tohum          | trakya-tohum    | Onur Kaplan        | Bilgi işlem müdürü
Redwood Analytics     | redwood-an      | Sam Okafor         | Chief technology officer
Van Gölü Seramik      | vangolu-seramik | Nazlı Erdem        | Finance director
Kiwi Freight          | kiwi-freight    | Aroha Ngata        | Operations manager
Çukurova Pamuk        | cukurova-pamuk  | Serkan Doğan       | Genel müdür
Baltic Timber         | baltic-timber   | Kristjan Tamm      | IT manager
Pera Yayıncılık       | pera-yayin      | Defne Koç          | Yayın teknolojileri müdürü
Summit Robotics       | summit-robotics | Grace Liu          | Head of IT
Toros Madencilik      | toros-maden     | Volkan Ünal        | Bilgi işlem müdürü
Maison Delacroix      | delacroix       | Hugo Delacroix     | Directeur financier
Savanna Coffee        | savanna-coffee  | Wanjiru Kamau      | Chief operating officer
Göbekli Mühendislik   | gobekli-muh     | Pınar Işık         | IT manager
Evergreen Pharma      | evergreen-ph    | Nora Lindholm      | Director of systems
"""


def _customer(row: str) -> Customer:
    name, domain, person, title = (cell.strip() for cell in row.split("|"))
    return Customer(name, f"{domain}.example", person, title)


CUSTOMERS = tuple(_customer(row) for row in _CUSTOMERS.strip().splitlines())

_365, _APPS = SolutionArea.MICROSOFT_365, SolutionArea.BUSINESS_APPLICATIONS
_USED = (Activity.USAGE,)
_SOLD_AND_USED = (Activity.PRESALES, Activity.USAGE)

WORKS = (
    Work("Exchange Online migration", _365, _USED, ("exchange", "office_apps")),
    Work("Teams and telephony", _365, _USED, ("teams", "teams_phone")),
    Work("Dynamics 365 Sales", _APPS, _SOLD_AND_USED, ("dynamics_365_sales", "power_bi")),
    Work("Device management", _365, _USED, ("intune", "entra_id_premium")),
    Work(
        "Business Central",
        _APPS,
        (Activity.REVENUE_ASSOCIATION,),
        ("dynamics_365_business_central",),
    ),
    Work("SharePoint intranet", _365, _USED, ("sharepoint", "teams", "yammer")),
    Work("Approval apps", _APPS, _USED, ("power_apps", "power_automate")),
    Work("Threat protection", _365, _USED, ("defender_for_office", "defender_for_endpoint")),
    Work("Field service", _APPS, _SOLD_AND_USED, ("dynamics_365_field_service", "power_bi")),
    Work("Document protection", _365, _USED, ("information_protection", "office_apps")),
    Work(
        "Finance and supply chain",
        _APPS,
        _SOLD_AND_USED,
        ("dynamics_365_finance", "dynamics_365_supply_chain"),
    ),
)


def part(number: int, predecessor: Part | None = None) -> Part:
    """The part of the claim with this number, from 0: the same in every run.

    A claim that supersedes another one has its partner, customer and work.
    """
    like = predecessor.number if predecessor else number
    return Part(
        number=number,
        claim_id=uuid5(_NAMESPACE, f"claim {number}"),
        partner=PARTNERS[like % len(PARTNERS)],
        customer=CUSTOMERS[like % len(CUSTOMERS)],
        work=WORKS[like % len(WORKS)],
        reviewer=REVIEWERS[number % len(REVIEWERS)],
        second_reviewer=REVIEWERS[(number + 1) % len(REVIEWERS)],
    )
