"""Whether a new version of a contract accepts all that the old one did, and if not, which field is why.

Never says so where it is not: what cannot be decided counts as breaking unless shown otherwise.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from taskclient.contract_check import UnusableSchema, compiled
from taskclient.json_schema import (
    DEPENDENT,
    OPAQUE,
    Document,
    Schema,
    Undecidable,
    plain,
    refuse_moved_names,
    same,
    types_of,
)
from taskclient.schema_bounds import narrower

_FINITE: Final[dict[str, list[Any]]] = {"null": [None], "boolean": [False, True]}
_COMBINED: Final = frozenset(("anyOf", "oneOf", "allOf", "$ref"))
Breaks = list["Break"]


@dataclass(frozen=True, slots=True)
class Break:
    """One reason why not all that one schema accepts is accepted by the other.

    Args:
        field: where, with dots between names, `[]` for a list's items and `*` for fields of any other name.
        reason: what the narrower schema asks, as in `must be given`.
        decided: False if it only could not be shown that all is well.
    """

    field: str
    reason: str
    decided: bool = True

    def __str__(self) -> str:
        doubt = "" if self.decided else " (breaking unless shown otherwise)"
        return f"{self.field or 'payload'}: {self.reason}{doubt}"


def breaks(wide: Schema, narrow: Schema) -> Breaks:
    """Why `narrow` does not accept all that `wide` accepts; empty if it does.

    For the arguments of a task `wide` is the old schema and `narrow` the new one: messages on their way must be
    understood. For its result it is the other way round: those who read results know the old one.

    Args:
        wide: JSON Schema, draft 2020-12.
        narrow: another one.
    """
    if wide == narrow:
        return []
    try:
        for schema in (wide, narrow):
            compiled(schema)
            refuse_moved_names(schema)
        found = _Comparison(Document(wide), Document(narrow)).compare(wide, narrow, "")
    except RecursionError:
        return [Break("", "it is nested too deeply to be compared", decided=False)]
    except (UnusableSchema, Undecidable) as why:
        return [Break("", str(why), decided=False)]
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class _Comparison:
    """Compares parts of two documents.

    Args:
        wide: the one document.
        narrow: the other one.
        entered: pairs of parts that are being compared at this place in the value; one that comes again says nothing.
        assumed: pairs that are being compared further out in the value: a finite value ends somewhere.
    """

    wide: Document
    narrow: Document
    entered: frozenset[str] = frozenset()
    assumed: frozenset[str] = frozenset()

    def compare(self, wide: Any, narrow: Any, path: str) -> Breaks:
        """All reasons at `path` and below."""
        pair = f"{wide!r} {narrow!r}"
        if pair in self.assumed:
            return []
        if pair in self.entered:
            return [Break(path, "its definition leads back to itself", decided=False)]
        try:
            return replace(self, entered=self.entered | {pair})._compare(wide, narrow, path)
        except (Undecidable, UnusableSchema) as why:
            return [Break(path, str(why), decided=False)]

    def _compare(self, wide: Any, narrow: Any, path: str) -> Breaks:
        had, wanted = plain(wide, self.wide), plain(narrow, self.narrow)
        if had is None or wanted == {} or same(wide, self.wide, narrow, self.narrow):
            return []
        if wanted is None:
            return [Break(path, "nothing is accepted")]
        values = _values(had)
        if values is not None:
            return self._each(values, narrow, path)
        return [found for part in _parts(wanted) for found in self._entails(had, part, path)]

    def _each(self, values: list[Any], narrow: Any, path: str) -> Breaks:
        """For few values, ask the validator itself."""
        validator = compiled(self.narrow.alone(narrow))
        return [
            Break(path, f"{json.dumps(value)} is not accepted") for value in values if not validator.is_valid(value)
        ]

    def _entails(self, had: Schema, part: Schema, path: str) -> Breaks:
        """Of what `had` asks at once, one thing is enough to be within `part`."""
        ways = [self._way(one, part, path) for one in _conjuncts(had)]
        return min(ways, key=len)

    def _way(self, one: Schema, part: Schema, path: str) -> Breaks:
        for word in ("anyOf", "oneOf", "allOf"):
            if word in one:
                return [found for branch in one[word] for found in self.compare(branch, part, path)]
        if "$ref" in one:
            return self.compare(one, part, path)
        return [found for atom in _atoms(one) for found in self._atom(atom, part, path)]

    def _atom(self, atom: Schema, part: Schema, path: str) -> Breaks:
        """`atom` has one type; `part` is one thing that is asked."""
        values = _values(atom)
        if values is not None:
            return self._each(values, part, path)
        if "$ref" in part:
            return self.compare(atom, self.narrow.follow(part["$ref"]), path)
        for word in ("anyOf", "oneOf"):
            if word in part:
                return self._union(atom, part[word], path, alone=word == "oneOf")
        if part.keys() <= OPAQUE:
            return self._unread(atom, part, path)
        return list(self._simple(atom, part, path))

    def _unread(self, atom: Schema, part: Schema, path: str) -> Breaks:
        """What is not compared but for being the same; some of it depends on all that stands beside it."""
        had = {word: atom[word] for word in part if word in atom}
        if not part.keys() & DEPENDENT and same(had, self.wide, part, self.narrow):
            return []
        return [Break(path, f"{', '.join(sorted(part))} may ask more than before", decided=False)]

    def _union(self, atom: Schema, branches: list[Any], path: str, *, alone: bool) -> Breaks:
        ways = [self.compare(atom, branch, path) for branch in branches]
        for number, way in enumerate(ways):
            others = [branch for other, branch in enumerate(branches) if other != number]
            if not way and not (alone and not all(self._apart(atom, branch) for branch in others)):
                return []
        if not min(ways, key=len, default=[Break(path, "")]):
            return [Break(path, "it may fit more than one of the forms of which it must fit one", decided=False)]
        (kind,) = types_of(atom)
        near = [way for way, branch in zip(ways, branches, strict=True) if self._may_be(branch, kind)]
        if not near:
            return [Break(path, f"{kind} is not accepted")]
        return near[0] if len(near) == 1 else [Break(path, f"no single form accepts every {kind}", decided=False)]

    def _may_be(self, branch: Any, kind: str) -> bool:
        found = plain(branch, self.narrow)
        return found is not None and _fits(kind, found)

    def _apart(self, atom: Schema, branch: Any) -> bool:
        """Whether no value can be both: another type, or other values of a field that is always there."""
        other = plain(branch, self.narrow)
        (kind,) = types_of(atom)
        if other is None or not (_fits(kind, other) or (kind == "number" and "integer" in types_of(other))):
            return True
        mine, theirs = atom.get("properties", {}), other.get("properties", {})
        for name in set(atom.get("required", ())) & mine.keys() & theirs.keys():
            here, there = plain(mine[name], self.wide), plain(theirs[name], self.narrow)
            values = None if here is None else _values(here)
            known = None if there is None else _values(there)
            if values is not None and known is not None:
                validator = compiled({"enum": known})
                if not any(validator.is_valid(value) for value in values):
                    return True
        return False

    def _simple(self, atom: Schema, part: Schema, path: str) -> Iterator[Break]:
        (kind,) = types_of(atom)
        if not _fits(kind, part):
            yield Break(path, f"{kind} is not accepted")
            return
        if "enum" in part or "const" in part:
            yield Break(path, f"only {json.dumps(_values(part))} is accepted")
        yield from (Break(path, reason, decided) for reason, decided in narrower(kind, atom, part))
        inner = replace(self, entered=frozenset(), assumed=self.assumed | self.entered)
        if kind == "object":
            yield from inner._object(atom, part, path)
        elif kind == "array":
            yield from inner._array(atom, part, path)

    def _object(self, had: Schema, asked: Schema, path: str) -> Iterator[Break]:
        mine, theirs = had.get("properties", {}), asked.get("properties", {})
        # Names that match a pattern are no additional ones, so what they hold is not limited here.
        others = True if "patternProperties" in had else had.get("additionalProperties", True)
        rest = asked.get("additionalProperties", True)
        for name in asked.get("required", ()):
            if name not in had.get("required", ()):
                yield Break(_join(path, name), "must be given")
        for name in dict.fromkeys((*mine, *theirs)):
            place = _join(path, name)
            if name not in theirs and rest is False and mine[name] is not False:
                yield Break(place, "is not accepted any more")
            elif name not in mine and others is not False:
                yield from _open(place, self.compare(others, theirs[name], place))
            else:
                yield from self.compare(mine.get(name, others), theirs.get(name, rest), place)
        if others is not False and rest is False:
            yield Break(_join(path, "*"), "fields beside those that are named are not accepted")
        elif others is not False:
            yield from self.compare(others, rest, _join(path, "*"))
        if "propertyNames" in asked:
            names = {"allOf": [{"type": "string"}, had.get("propertyNames", True)]}
            yield from self.compare(_merged(names), asked["propertyNames"], _join(path, "*"))

    def _array(self, had: Schema, asked: Schema, path: str) -> Iterator[Break]:
        mine, theirs = had.get("prefixItems", []), asked.get("prefixItems", [])
        most = had.get("maxItems", float("inf"))
        for number in range(max(len(mine), len(theirs))):
            if number < most:
                one = mine[number] if number < len(mine) else had.get("items", True)
                other = theirs[number] if number < len(theirs) else asked.get("items", True)
                yield from self.compare(one, other, f"{path}[{number}]")
        if max(len(mine), len(theirs)) < most:
            yield from self.compare(had.get("items", True), asked.get("items", True), f"{path}[]")


def _parts(schema: Schema) -> Iterator[Schema]:
    """What a schema asks, thing by thing: all of them at once make the schema."""
    if "$ref" in schema:
        yield {"$ref": schema["$ref"]}
    for word in ("anyOf", "oneOf"):
        if word in schema:
            yield {word: schema[word]}
    for member in schema.get("allOf", ()):
        yield {"anyOf": [member]}
    opaque = {word: value for word, value in schema.items() if word in OPAQUE}
    if opaque:
        yield opaque
    simple = {word: value for word, value in schema.items() if word not in _COMBINED | OPAQUE}
    if simple:
        yield simple


def _conjuncts(schema: Schema) -> list[dict[str, Any]]:
    """Schemas that all hold of the values of this one; each alone may accept more."""
    found = [{word: schema[word]} for word in ("$ref", "anyOf", "oneOf") if word in schema]
    found += [{"allOf": [member]} for member in schema.get("allOf", ())]
    simple = {word: value for word, value in schema.items() if word not in _COMBINED}
    return found + ([simple] if simple or not found else [])


def _atoms(schema: Schema) -> list[dict[str, Any]]:
    return [{**schema, "type": kind} for kind in types_of(schema)]


def _values(schema: Schema) -> list[Any] | None:
    """All values that a schema may accept, if they are few enough to be named."""
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    kinds = types_of(schema)
    if all(kind in _FINITE for kind in kinds):
        return [value for kind in kinds for value in _FINITE[kind]]
    return None


def _fits(kind: str, schema: Schema) -> bool:
    allowed = types_of(schema)
    return kind in allowed or (kind == "integer" and "number" in allowed)


def _merged(schema: Schema) -> Any:
    """One schema of the two, where that is easily said."""
    first, second = schema["allOf"]
    return {**second, **first} if isinstance(second, Mapping) and not second.keys() & first.keys() else schema


def _open(place: str, found: Breaks) -> Breaks:
    """A field that is new, where fields of any name were accepted with any value."""
    if not found:
        return []
    return [Break(place, "it is new, and its name was accepted before with any value", decided=False)]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
