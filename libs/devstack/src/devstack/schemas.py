"""Random JSON Schemas, small changes of them, and values that are near to what they accept; all from one seed."""

from copy import deepcopy
from random import Random
from typing import Any

WORDS = ("a", "b", "c")
TEXTS = ("", "a", "b", "ab", "abc", "2025-01-02", "ada@example.com", "0123456789")
NUMBERS = (-3, -1, 0, 1, 2, 3, 4, 6, 10, 0.5, 2.5, -0.5, 1.0)
_DEEPEST, _DEEPEST_VALUE = 3, 6


class Schemas:
    """Makes schemas, changes and values.

    Args:
        random: decides; the same seed makes the same.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._defined = ["D"]

    def _perhaps(self, share: float) -> bool:
        return self._random.random() < share

    def document(self) -> dict[str, Any]:
        """A schema of an object, as tasks have it, with a definition that may refer to itself."""
        root = self._object(0)
        root["$defs"] = {"D": self.schema(1)}
        return root

    def schema(self, depth: int) -> Any:
        """Any schema, simpler ones the deeper they are."""
        random = self._random
        simple = [self._number, self._text, self._enum, self._const, self._plain, self._kinds]
        large = [self._array, self._object, self._map, self._union, self._all, self._reference, self._rare]
        make = random.choice(simple if depth >= _DEEPEST else simple + large)
        return make(depth)

    def changed(self, document: dict[str, Any]) -> dict[str, Any]:
        """A copy with one to three places changed."""
        fresh = deepcopy(document)
        for _ in range(self._random.randint(1, 3)):
            self._change(fresh)
        return fresh

    def value(self, schema: Any, document: dict[str, Any], depth: int = 0) -> Any:
        """A value that the schema may well accept."""
        random = self._random
        if not isinstance(schema, dict) or depth > _DEEPEST_VALUE or self._perhaps(0.07):
            return self._any(depth)
        if "$ref" in schema:
            return self.value(document["$defs"]["D"], document, depth + 1)
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                return self.value(random.choice(schema[word]), document, depth + 1)
        if "const" in schema or "enum" in schema:
            return deepcopy(schema.get("const", random.choice(schema.get("enum", [None]))))
        kind = schema.get("type") or self._kind_of(schema)
        return self._of_kind(random.choice(kind) if isinstance(kind, list) else kind, schema, document, depth)

    def _kind_of(self, schema: dict[str, Any]) -> Any:
        return "object" if "properties" in schema else None

    def _of_kind(self, kind: Any, schema: dict[str, Any], document: dict[str, Any], depth: int) -> Any:
        random = self._random
        if kind in {"integer", "number"}:
            near = [schema[word] + step for word in schema if "imum" in word for step in (-1, 0, 1, 0.5)]
            number = random.choice([*NUMBERS, *near])
            return int(number) if kind == "integer" else number
        if kind == "array":
            items = [*schema.get("prefixItems", []), *[schema.get("items", True)] * random.randint(0, 3)]
            return [self.value(item, document, depth + 1) for item in items]
        if kind == "object":
            return self._object_value(schema, document, depth)
        return {"string": random.choice(TEXTS), "boolean": self._perhaps(0.5), "null": None}.get(kind, self._any(depth))

    def _object_value(self, schema: dict[str, Any], document: dict[str, Any], depth: int) -> dict[str, Any]:
        random = self._random
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", True)
        names = [name for name in known if name in schema.get("required", ()) or self._perhaps(0.6)]
        if self._perhaps(0.3):
            names.append(random.choice(WORDS))
        return {name: self.value(known.get(name, rest), document, depth + 1) for name in names}

    def _any(self, depth: int) -> Any:
        random = self._random
        flat: list[Any] = [*TEXTS, *NUMBERS, None, True, False]
        large: list[Any] = [[], [random.choice(flat)], {}, {random.choice(WORDS): random.choice(flat)}]
        return deepcopy(random.choice(flat if depth > _DEEPEST_VALUE else flat + large))

    def _number(self, _: int) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": self._random.choice(["integer", "number"])}
        for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if self._perhaps(0.25):
                schema[word] = self._random.choice([-1, 0, 2, 3, 0.5])
        if self._perhaps(0.2):
            schema["multipleOf"] = self._random.choice([1, 2, 3, 0.5])
        return schema

    def _text(self, _: int) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string"}
        for word, values in (("minLength", [0, 1, 2]), ("maxLength", [1, 2, 10]), ("pattern", ["^a", "b"])):
            if self._perhaps(0.25):
                schema[word] = self._random.choice(values)
        if self._perhaps(0.15):
            schema["format"] = self._random.choice(["date", "email"])
        return schema

    def _enum(self, _: int) -> dict[str, Any]:
        return {"enum": self._random.sample([*TEXTS, 1, 2, None, True, 1.5], self._random.randint(1, 4))}

    def _const(self, _: int) -> dict[str, Any]:
        return {"const": self._random.choice([*TEXTS, 1, None, False, [1], {"a": 1}])}

    def _plain(self, _: int) -> Any:
        return self._random.choice([True, {}, {"type": "boolean"}, {"type": "null"}, {"type": "string"}, False])

    def _kinds(self, _: int) -> dict[str, Any]:
        return {"type": self._random.sample(["null", "string", "integer", "boolean", "number", "array"], 2)}

    def _array(self, depth: int) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "array"}
        if self._perhaps(0.8):
            schema["items"] = self.schema(depth + 1)
        if self._perhaps(0.2):
            schema["prefixItems"] = [self.schema(depth + 1) for _ in range(self._random.randint(1, 2))]
        for word in ("minItems", "maxItems"):
            if self._perhaps(0.2):
                schema[word] = self._random.randint(0, 3)
        if self._perhaps(0.15):
            schema["uniqueItems"] = True
        return schema

    def _object(self, depth: int) -> dict[str, Any]:
        names = self._random.sample(WORDS, self._random.randint(0, len(WORDS)))
        schema: dict[str, Any] = {"type": "object", "properties": {name: self.schema(depth + 1) for name in names}}
        schema["required"] = [name for name in names if self._perhaps(0.5)]
        if self._perhaps(0.6):
            schema["additionalProperties"] = False if self._perhaps(0.7) else self.schema(depth + 1)
        for word in ("minProperties", "maxProperties"):
            if self._perhaps(0.1):
                schema[word] = self._random.randint(0, 3)
        return schema

    def _map(self, depth: int) -> dict[str, Any]:
        schema = {"type": "object", "additionalProperties": self.schema(depth + 1)}
        if self._perhaps(0.4):
            schema["propertyNames"] = self._random.choice([self._text(depth), {"enum": ["a", "b"]}])
        return schema

    def _union(self, depth: int) -> dict[str, Any]:
        word = self._random.choice(["anyOf", "anyOf", "oneOf"])
        if self._perhaps(0.3):
            return {word: [self._tagged(depth, tag) for tag in self._random.sample(WORDS, 2)]}
        return {word: [self.schema(depth + 1) for _ in range(self._random.randint(1, 3))]}

    def _tagged(self, depth: int, tag: str) -> dict[str, Any]:
        schema = self._object(depth + 1)
        schema["properties"]["a"] = {"const": tag}
        schema["required"] = sorted({*schema["required"], "a"})
        return schema

    def _all(self, depth: int) -> dict[str, Any]:
        schema = {"allOf": [self.schema(depth + 1) for _ in range(self._random.randint(1, 2))]}
        return schema | (self._number(depth) if self._perhaps(0.3) else {})

    def _reference(self, _: int) -> dict[str, Any]:
        return {"$ref": "#/$defs/D"}

    def _rare(self, depth: int) -> dict[str, Any]:
        random = self._random
        return random.choice(
            [
                {"not": self.schema(depth + 1)},
                {"if": self.schema(depth + 1), "then": self.schema(depth + 1)},
                {"type": "object", "patternProperties": {"^a": self.schema(depth + 1)}},
                {"type": "array", "contains": self.schema(depth + 1)},
                {"type": "object", "dependentRequired": {"a": ["b"]}},
                {"type": "object", "properties": {"a": True}, "unevaluatedProperties": False},
            ]
        )

    def _change(self, document: dict[str, Any]) -> None:
        """Change one place: another schema there, a word more or less, a name more or less."""
        random = self._random
        place = random.choice(list(_places(document)))
        kind = random.choice(("field", "required", "less", "more", "values", "wider"))
        if kind == "field" and "properties" in place:
            place["properties"][random.choice(WORDS)] = self.schema(2)
        elif kind == "required" and place.get("required") is not None:
            place["required"] = random.sample(WORDS, random.randint(0, 2))
        elif kind == "less" and len(place) > 1:
            del place[random.choice([word for word in place if word != "$defs"])]
        elif kind == "more":
            more = self.schema(2)
            place.update(more if isinstance(more, dict) else {})
        elif kind == "values" and "enum" in place:
            place["enum"] = random.sample([*place["enum"], "new"], max(1, len(place["enum"]) - 1))
        else:
            self._widen(place)

    def _widen(self, place: dict[str, Any]) -> None:
        for word in ("anyOf", "oneOf"):
            if word in place:
                place[word] = [*place[word], self.schema(3)]
                return
        if "minimum" in place:
            place["minimum"] -= self._random.choice([-1, 1])
        elif "maxLength" in place:
            place["maxLength"] += self._random.choice([-1, 1, 2])
            place["maxLength"] = max(place["maxLength"], 0)
        elif place.get("type") == "integer":
            place["type"] = "number"
        elif place.get("additionalProperties") is False:
            del place["additionalProperties"]


def _places(schema: Any) -> Any:
    """All schemas in a schema that are objects."""
    if isinstance(schema, list):
        for inner in schema:
            yield from _places(inner)
    if not isinstance(schema, dict):
        return
    yield schema
    for word, inner in schema.items():
        if word in {"properties", "$defs", "patternProperties"}:
            for each in inner.values():
                yield from _places(each)
        elif word in {"anyOf", "oneOf", "allOf", "prefixItems", "items", "additionalProperties", "not", "contains"}:
            yield from _places(inner)
