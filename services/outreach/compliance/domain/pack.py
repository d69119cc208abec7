"""A pack: the rules of a jurisdiction in one version, and how packs lie over each other."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.outreach.compliance.domain.attempt import Attempt
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.words import Channel, Party
from shared.frozen import replace


class UnknownRuleError(ValueError):
    """A pack has no rules of these names; the text is one line that names them."""


@dataclass(frozen=True)
class Pack:
    """Rules, in the order in which they are told. `off` names those that are known and switched off."""

    name: str
    version: str
    rules: tuple[Rule, ...]
    off: frozenset[str] = frozenset()
    _concerned: dict[tuple[Channel, Party], tuple[Rule, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Put the rules in order. Raises ValueError for two rules of one name."""
        names = [rule.id for rule in self.rules]
        for name in names:
            if names.count(name) > 1 or name in self.off:
                raise ValueError(f"rule {name} occurs more than once")
        object.__setattr__(self, "rules", tuple(sorted(self.rules, key=lambda rule: rule.rank)))

    def concerned(self, attempt: Attempt) -> tuple[Rule, ...]:
        """The rules that speak of such an attempt."""
        key = (attempt.channel, attempt.party)
        rules = self._concerned.get(key)
        if rules is None:
            rules = self._concerned[key] = tuple(rule for rule in self.rules if rule.concerns(*key))
        return rules

    def only(self, names: Iterable[str]) -> "Pack":
        """The pack with these rules alone. Raises UnknownRuleError."""
        chosen = set(names)
        known = {rule.id for rule in self.rules} | self.off
        if chosen - known:
            raise UnknownRuleError(f"no rule {', '.join(sorted(chosen - known))}")
        return replace(self, rules=tuple(rule for rule in self.rules if rule.id in chosen))

    def overlaid(self, *others: "Pack") -> "Pack":
        """This pack with others over it. All rules of all must pass, so that the strictest of them wins.

        Raises ValueError where two packs have a rule of one name.
        """
        packs = (self, *others)
        return Pack(
            "+".join(pack.name for pack in packs),
            "+".join(pack.version for pack in packs),
            tuple(rule for pack in packs for rule in pack.rules),
            frozenset().union(*(pack.off for pack in packs)),
        )
