"""The product catalogue: what can be claimed, for what, and when (R1)."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from functools import cached_property
from typing import Self

from domain.refusal import FieldError
from domain.resource import Part, Resource, Wording
from domain.vocabulary import Activity, SolutionArea

TOGETHER: dict[SolutionArea, tuple[frozenset[Activity], ...]] = {
    SolutionArea.BUSINESS_APPLICATIONS: (
        frozenset({Activity.PRESALES, Activity.USAGE}),
        frozenset({Activity.REVENUE_ASSOCIATION}),
    ),
    SolutionArea.MICROSOFT_365: (frozenset({Activity.USAGE}),),
}
"""The activities of each solution area, in the groups that one claim may name together."""


class Product(Part):
    """A product or workload; `valid_from` and `valid_to` are the first and the last day."""

    code: str
    name: Wording
    solution_area: SolutionArea
    activities: tuple[Activity, ...]
    valid_from: date
    valid_to: date | None = None
    needs_subscription: bool

    def offered(self, on: date) -> bool:
        """Whether it can be claimed on that day."""
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)


class Catalogue(Resource):
    """All products, those of the past and of the future included."""

    products: tuple[Product, ...]

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a catalogue; ValueError says what is wrong, such as a code that stands twice."""
        catalogue = super().from_toml(text)
        counts = Counter(product.code for product in catalogue.products)
        twice = [code for code, count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"products: more than one with the code {', '.join(twice)}")
        return catalogue

    def find(self, code: str) -> Product | None:
        """The product with this code, whether it is offered now or not."""
        return self._by_code.get(code)

    def offered(self, on: date) -> tuple[Product, ...]:
        """The products that can be claimed on that day, in the file's order."""
        return tuple(product for product in self.products if product.offered(on))

    def problems(
        self,
        solution_area: SolutionArea,
        activities: Sequence[Activity],
        products: Sequence[str],
        subscription_ids: Sequence[str],
        on: date,
        *,
        kept: Collection[str] = (),
    ) -> list[FieldError]:
        """What keeps a claim from naming these together on that day; empty when nothing does.

        Products that are `kept`, as the claim named them before, need not be offered any more.
        """
        return [
            *_repeated("activities", activities),
            *_not_together(solution_area, activities),
            *_repeated("products", products),
            *self._not_claimable(solution_area, activities, products, on, kept),
            *_repeated("subscription_ids", subscription_ids),
            *self._without_subscription(products, subscription_ids),
        ]

    @cached_property
    def _by_code(self) -> dict[str, Product]:
        return {product.code: product for product in self.products}

    def _not_claimable(
        self,
        solution_area: SolutionArea,
        activities: Sequence[Activity],
        products: Sequence[str],
        on: date,
        kept: Collection[str],
    ) -> Iterator[FieldError]:
        if not products:
            yield FieldError("/products", "at least one product is needed")
        for index, code in enumerate(products):
            pointer = f"/products/{index}"
            product = self.find(code)
            if product is None:
                yield FieldError(pointer, f"there is no product {code!r} in the catalogue")
                continue
            if code in kept:
                pass
            elif on < product.valid_from:
                yield FieldError(pointer, f"{code} can be claimed from {product.valid_from} on")
            elif not product.offered(on):
                yield FieldError(pointer, f"{code} could be claimed until {product.valid_to}")
            if product.solution_area is not solution_area:
                yield FieldError(
                    pointer, f"{code} belongs to {product.solution_area}, not to {solution_area}"
                )
            elif activities and not set(activities) & set(product.activities):
                yield FieldError(
                    pointer, f"{code} can be claimed for {' or '.join(product.activities)} only"
                )

    def _without_subscription(
        self, products: Sequence[str], subscription_ids: Sequence[str]
    ) -> Iterator[FieldError]:
        if subscription_ids:
            return
        needing = [code for code in products if (p := self.find(code)) and p.needs_subscription]
        if needing:
            yield FieldError(
                "/subscription_ids", f"at least one is needed for {', '.join(needing)}"
            )


def _repeated(field: str, values: Sequence[str]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield FieldError(f"/{field}/{index}", f"{value} is named more than once")
        seen.add(value)


def _not_together(
    solution_area: SolutionArea, activities: Sequence[Activity]
) -> Iterator[FieldError]:
    groups = TOGETHER[solution_area]
    known = frozenset[Activity]().union(*groups)
    if not activities:
        yield FieldError("/activities", "at least one activity is needed")
    elif foreign := [index for index, each in enumerate(activities) if each not in known]:
        for index in foreign:
            yield FieldError(
                f"/activities/{index}", f"{solution_area} has no activity {activities[index]}"
            )
    elif not any(group.issuperset(activities) for group in groups):
        yield FieldError(
            "/activities",
            f"{' and '.join(dict.fromkeys(activities))} cannot be claimed together",
        )
