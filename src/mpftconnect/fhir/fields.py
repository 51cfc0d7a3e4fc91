"""The mapping engine: a table of fields per FHIR type, each of which reads and writes.

A `Struct` walks the members of a JSON object once. A member that a field knows is read by that field; whatever
no field knows, and whatever a field cannot read, is kept with its path in the reading's left-overs. So nothing
can be dropped by forgetting it. Writing walks the same fields in the order of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from pydantic import ValidationError

from mpftconnect.fhir.codecs import TEXT, Codec
from mpftconnect.fhir.extensions import DATA_ABSENT_ELEMENT, EMPTY_ELEMENT, data_absent
from mpftconnect.fhir.json_text import know_names
from mpftconnect.fhir.reading import ABSENT, Reading, Unreadable, join

__all__ = [
    "Choice",
    "Const",
    "Ext",
    "ExtNested",
    "ExtStruct",
    "Extensions",
    "Field",
    "First",
    "Head",
    "Many",
    "Nested",
    "One",
    "OneExtended",
    "Skip",
    "Struct",
    "put",
    "take",
]

Getter = Callable[[Any], Any]


def take(obj: Mapping[str, Any], key: str, codec: Codec, path: str, ctx: Reading) -> Any:
    """Read `obj[key]`. ABSENT if it is not there, or cannot be read and was kept."""
    raw = obj.get(key, ABSENT)
    place = f"{path}.{key}" if path else key
    if codec.sided:
        side = obj.get(f"_{key}", ABSENT)
        if raw is ABSENT and side is ABSENT:
            return ABSENT
        side_place = join(path, f"_{key}")
        try:
            return codec.read_pair(raw, side, place, side_place, ctx)  # type: ignore[attr-defined]
        except Unreadable:
            if raw is not ABSENT:
                ctx.keep(place, raw)
            return ABSENT
    if raw is ABSENT:
        return ABSENT
    mark = len(ctx.extra)
    try:
        return codec.read(raw, place, ctx)
    except Unreadable:
        del ctx.extra[mark:]
        ctx.keep(place, raw)
        return ABSENT


def put(out: dict[str, Any], key: str, codec: Codec, value: Any) -> None:
    """Write `value` as `out[key]`."""
    if codec.sided:
        raw, side = codec.write_pair(value)  # type: ignore[attr-defined]
        if raw is not ABSENT:
            out[key] = raw
        if side is not ABSENT:
            out[f"_{key}"] = side
    else:
        out[key] = codec.write(value)


def _put_absent(out: dict[str, Any], key: str, codec: Codec) -> None:
    """Say that a required element is not stated (FHIR R4, extension data-absent-reason)."""
    out[f"_{key}" if codec.primitive else key] = data_absent()


class Field:
    """One line of a table: the members it knows, and both directions."""

    keys: tuple[str, ...] = ()

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raise NotImplementedError

    def write(self, model: Any, out: dict[str, Any]) -> None:
        raise NotImplementedError


class _Attribute(Field):
    def __init__(self, attr: str, get: Getter | None) -> None:
        self.attr = attr
        self._get = get

    def value(self, model: Any) -> Any:
        return self._get(model) if self._get else getattr(model, self.attr)


class One(_Attribute):
    """An element of at most one value.

    Args:
        required: R4 demands the element: where the model has no value, the reason for absence stands there.
        get: Takes the value from the model, where it is not simply the attribute.
    """

    def __init__(
        self, attr: str, element: str, codec: Codec, *, required: bool = False, get: Getter | None = None
    ) -> None:
        super().__init__(attr, get)
        self.element, self.codec, self.required = element, codec, required
        companion = codec.sided or (required and codec.primitive)
        self.keys = (element, f"_{element}") if companion else (element,)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        element, codec = self.element, self.codec
        if self.required:
            if codec.primitive and not codec.sided:
                side = obj.get(f"_{element}", ABSENT)
                if side is not ABSENT and (side != DATA_ABSENT_ELEMENT or element in obj):
                    ctx.keep(join(path, f"_{element}"), side)
            elif obj.get(element) == DATA_ABSENT_ELEMENT:
                return
        if self.attr in into:
            for key in self.keys:
                if key in obj:
                    ctx.keep(join(path, key), obj[key])
            return
        value = take(obj, element, codec, path, ctx)
        if value is not ABSENT:
            into[self.attr] = value

    def write(self, model: Any, out: dict[str, Any]) -> None:
        value = self.value(model)
        if value is not None:
            put(out, self.element, self.codec, value)
        elif self.required:
            _put_absent(out, self.element, self.codec)


def _read_list(raw: Any, place: str, codec: Codec, ctx: Reading) -> list[Any] | None:
    """The readable entries; the others are kept. None if it is not a list, which is then kept whole."""
    if type(raw) is not list:
        ctx.keep(place, raw)
        return None
    values = []
    for index, part in enumerate(raw):
        mark = len(ctx.extra)
        try:
            values.append(codec.read(part, f"{place}[{index}]", ctx))
        except Unreadable:
            del ctx.extra[mark:]
            ctx.keep(f"{place}[{index}]", part)
    return values


class Many(_Attribute):
    """A repeating element, held as a tuple."""

    def __init__(
        self, attr: str, element: str, codec: Codec, *, required: bool = False, get: Getter | None = None
    ) -> None:
        super().__init__(attr, get)
        self._element, self._codec, self._required = element, codec, required
        self.keys = (element,)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj[self._element]
        if self._required and raw == [DATA_ABSENT_ELEMENT]:
            return
        values = _read_list(raw, join(path, self._element), self._codec, ctx)
        if values:
            into[self.attr] = (*into.get(self.attr, ()), *values)

    def write(self, model: Any, out: dict[str, Any]) -> None:
        values = self.value(model)
        if values:
            write = self._codec.write
            out[self._element] = [write(value) for value in values]
        elif self._required:
            out[self._element] = [data_absent()]


class First(_Attribute):
    """A repeating element of which the model holds one; the further ones are kept as left over."""

    def __init__(self, attr: str, element: str, codec: Codec, *, get: Getter | None = None) -> None:
        super().__init__(attr, get)
        self._element, self._codec = element, codec
        self.keys = (element,)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw, place = obj[self._element], join(path, self._element)
        if type(raw) is not list:
            ctx.keep(place, raw)
            return
        for index, part in enumerate(raw):
            if self.attr not in into:
                values = _read_list([part], place, self._codec, ctx)
                if values:
                    into[self.attr] = values[0]
            else:
                ctx.keep(f"{place}[{index}]", part)

    def write(self, model: Any, out: dict[str, Any]) -> None:
        value = self.value(model)
        if value is not None:
            out[self._element] = [self._codec.write(value)]


class Head(_Attribute):
    """A single element for the first of a tuple; the others go into an extension (`Ext(..., tail=True)`)."""

    def __init__(self, attr: str, element: str, codec: Codec) -> None:
        super().__init__(attr, None)
        self._element, self._codec = element, codec
        self.keys = (element,)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        value = take(obj, self._element, self._codec, path, ctx)
        if value is not ABSENT:
            into[self.attr] = (value, *into.get(self.attr, ()))

    def write(self, model: Any, out: dict[str, Any]) -> None:
        values = self.value(model)
        if values:
            out[self._element] = self._codec.write(values[0])


class Choice(_Attribute):
    """An element of several types, `value[x]`.

    Args:
        variants: Python type -> (suffix, codec): written and read.
        also_read: suffix -> codec of types that are read as something near; what was sent is kept as well.
    """

    def __init__(
        self,
        attr: str,
        stem: str,
        variants: Mapping[type, tuple[str, Codec]],
        *,
        also_read: Mapping[str, Codec] | None = None,
        required: str | None = None,
        get: Getter | None = None,
    ) -> None:
        super().__init__(attr, get)
        self._variants = {kind: (stem + suffix, codec) for kind, (suffix, codec) in variants.items()}
        self._own_keys = frozenset(key for key, _ in self._variants.values())
        self._near = {stem + suffix: codec for suffix, codec in (also_read or {}).items()}
        keys: list[str] = []
        for key, codec in (*self._variants.values(), *self._near.items()):
            keys += [key, f"_{key}"] if codec.sided else [key]
        self._absent_key = ""
        if required:
            codec = next(codec for key, codec in self._variants.values() if key == stem + required)
            if codec.primitive and not codec.sided:
                raise ValueError("where a choice is required, its reason for absence stands at a dated or complex type")
            self._absent_key = f"_{stem}{required}" if codec.primitive else stem + required
        self.keys = tuple(keys)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        if (
            self._absent_key
            and obj.get(self._absent_key) == DATA_ABSENT_ELEMENT
            and not any(key in obj for key in self.keys if key != self._absent_key)
        ):
            return
        for key, codec in self._variants.values():
            if key not in obj and not (codec.sided and f"_{key}" in obj):
                continue
            if self.attr in into:
                for name in (key, f"_{key}") if codec.sided else (key,):
                    if name in obj:
                        ctx.keep(join(path, name), obj[name])
                continue
            value = take(obj, key, codec, path, ctx)
            if value is not ABSENT:
                into[self.attr] = value
        for key, codec in self._near.items():
            if key not in obj and not (codec.sided and f"_{key}" in obj):
                continue
            if self.attr not in into:
                value = take({key: obj.get(key)}, key, codec, path, ctx.aside())
                if value is not ABSENT:
                    into[self.attr] = value
            if key in self._own_keys:
                continue  # was kept when it could not be read as what the type holds
            for name in (key, f"_{key}") if codec.sided else (key,):
                if name in obj:
                    ctx.keep(join(path, name), obj[name])

    def write(self, model: Any, out: dict[str, Any]) -> None:
        value = self.value(model)
        if value is not None:
            key, codec = self._variants[type(value)]
            put(out, key, codec, value)
        elif self._absent_key:
            out[self._absent_key] = data_absent()


class Const(Field):
    """An element that always says the same; sent otherwise, it is kept."""

    def __init__(self, element: str, value: Any) -> None:
        self._element, self._value = element, value
        self.keys = (element,)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        if obj[self._element] != self._value:
            ctx.keep(join(path, self._element), obj[self._element])

    def write(self, model: Any, out: dict[str, Any]) -> None:
        out[self._element] = deepcopy(self._value)


class Skip(Field):
    """Members that somebody else reads and writes."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        pass

    def write(self, model: Any, out: dict[str, Any]) -> None:
        pass


def _by_key(fields: Sequence[Field]) -> dict[str, Field]:
    table: dict[str, Field] = {}
    for field in fields:
        for key in field.keys:
            if key in table and table[key] is not field:
                raise ValueError(f"two fields of one table read {key}")
            table[key] = field
    know_names(key.removeprefix("_") for key in table)
    return table


def _plain(fields: Sequence[Field]) -> dict[str, tuple[str, Codec]]:
    """Lines that simply read one member into one attribute which no other line fills: the bulk of every table."""
    fed: list[str] = []
    waiting = list(fields)
    while waiting:
        field = waiting.pop()
        if isinstance(field, Nested):
            waiting.extend(field.fields)
        elif isinstance(field, Extensions | OneExtended):
            fed.extend([field.attr] if isinstance(field, OneExtended) else [])
            fed.extend(attr for entry in field.entries for attr in entry.attrs)
        elif isinstance(field, _Attribute):
            fed.append(field.attr)
    ones = [field for field in fields if type(field) is One and len(field.keys) == 1 and not field.required]
    return {field.element: (field.attr, field.codec) for field in ones if fed.count(field.attr) == 1}


def _read_fields(
    table: Mapping[str, Field],
    plain: Mapping[str, tuple[str, Codec]],
    obj: Mapping[str, Any],
    path: str,
    ctx: Reading,
    into: dict[str, Any],
) -> None:
    done: set[int] = set()
    for key, raw in obj.items():
        line = plain.get(key)
        if line is not None:
            attr, codec = line
            if codec is TEXT and type(raw) is str:
                into[attr] = raw
                continue
            value = take(obj, key, codec, path, ctx)
            if value is not ABSENT:
                into[attr] = value
            continue
        field = table.get(key)
        if field is None:
            ctx.keep(join(path, key), raw)
        elif len(field.keys) == 1:
            field.read(obj, path, ctx, into)
        elif id(field) not in done:
            done.add(id(field))
            field.read(obj, path, ctx, into)


class Nested(Field):
    """An object whose members belong to the model one level up, such as `dispenseRequest`.

    Args:
        first: The element repeats; its first entry is meant, and further ones are kept.
    """

    def __init__(self, element: str, *fields: Field, first: bool = False) -> None:
        self._element, self.fields, self._first = element, fields, first
        self._table, self._plain = _by_key(fields), _plain(fields)
        self.keys = (element,)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw, place = obj[self._element], join(path, self._element)
        if self._first:
            if type(raw) is not list or not raw:
                ctx.keep(place, raw)
                return
            for index, part in enumerate(raw[1:], 1):
                ctx.keep(f"{place}[{index}]", part)
            raw, place = raw[0], f"{place}[0]"
        if type(raw) is dict:
            _read_fields(self._table, self._plain, raw, place, ctx, into)
        else:
            ctx.keep(place, raw)

    def write(self, model: Any, out: dict[str, Any]) -> None:
        inner: dict[str, Any] = {}
        for field in self.fields:
            field.write(model, inner)
        if inner:
            out[self._element] = [inner] if self._first else inner


class Ext(_Attribute):
    """One extension, as a line of `Extensions`.

    Args:
        codecs: suffix of `value[x]` -> codec, or one codec for an extension made of extensions. Without `kinds` the
            first is written; what is read by another is kept as well.
        many: The extension repeats; the attribute is a tuple.
        tail: The tuple's first value stands in an element; the extension holds the others.
        kinds: Python type -> suffix, where `codecs` has several.
    """

    def __init__(
        self,
        attr: str,
        url: str,
        codecs: Mapping[str, Codec] | Codec,
        *,
        many: bool = False,
        tail: bool = False,
        kinds: Mapping[type, str] | None = None,
        get: Getter | None = None,
    ) -> None:
        super().__init__(attr, get)
        self.url = url
        self.many = many or tail
        self._whole = codecs if isinstance(codecs, Codec) else None
        self._codecs = {} if isinstance(codecs, Codec) else {f"value{suffix}": c for suffix, c in codecs.items()}
        self._kinds = {kind: f"value{suffix}" for kind, suffix in (kinds or {}).items()}
        self._tail = tail
        know_names(self._codecs)

    @property
    def attrs(self) -> tuple[str, ...]:
        """The attributes that it reads into."""
        return (self.attr,)

    def read_one(self, ext: dict[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        if not self.many and self.attr in into:
            ctx.keep(path, ext)
            return
        mark = len(ctx.extra)
        if self._whole:
            try:
                value = self._whole.read(ext, path, ctx)
            except Unreadable:
                del ctx.extra[mark:]
                ctx.keep(path, ext)
                return
        else:
            value = self._value(ext, path, ctx)
            if value is ABSENT:
                del ctx.extra[mark:]
                ctx.keep(path, ext)
                return
        into[self.attr] = (*into.get(self.attr, ()), value) if self.many else value

    def _value(self, ext: dict[str, Any], path: str, ctx: Reading) -> Any:
        found: Any = ABSENT
        used: set[str] = {"url"}
        for key, codec in self._codecs.items():
            if found is ABSENT and (key in ext or (codec.sided and f"_{key}" in ext)):
                found = take(ext, key, codec, path, ctx)
                used |= {key, f"_{key}"} if codec.sided else {key}
        if found is not ABSENT:
            if not self._kinds:
                used -= set(self._codecs) - {next(iter(self._codecs))}  # read under a type that will not be written
            for key in ext:
                if key not in used:
                    ctx.keep(join(path, key), ext[key])
        return found

    def write_all(self, model: Any, out: list[Any]) -> None:
        value = self.value(model)
        if value is None:
            return
        values = (value[1:] if self._tail else value) if self.many else (value,)
        for one in values:
            ext: dict[str, Any] = {"url": self.url}
            if self._whole:
                ext.update(self._whole.write(one))
            else:
                key = self._kinds[type(one)] if self._kinds else next(iter(self._codecs))
                put(ext, key, self._codecs[key], one)
            out.append(ext)


class Extensions(Field):
    """The extensions of an element, by URL. Unknown ones are kept, one by one."""

    keys = ("extension",)

    def __init__(self, *entries: Ext) -> None:
        self.entries = entries
        self._by_url = {entry.url: entry for entry in entries}
        if len(self._by_url) != len(entries):
            raise ValueError("two lines read one extension")

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw, place = obj["extension"], join(path, "extension")
        if type(raw) is not list:
            ctx.keep(place, raw)
            return
        for index, ext in enumerate(raw):
            url = ext.get("url") if type(ext) is dict else None
            entry = self._by_url.get(url) if type(url) is str else None
            if entry is None:
                ctx.keep(f"{place}[{index}]", ext)
            else:
                entry.read_one(ext, f"{place}[{index}]", ctx, into)

    def write(self, model: Any, out: dict[str, Any]) -> None:
        extensions: list[Any] = []
        for entry in self.entries:
            entry.write_all(model, extensions)
        if extensions:
            out["extension"] = extensions


class ExtNested(Ext):
    """An extension made of extensions whose parts belong to the model one level up, as `Nested` is for elements."""

    def __init__(self, url: str, *entries: Ext) -> None:
        super().__init__("", url, {})
        self._parts = Extensions(*entries)
        self._table = _by_key((Skip("url"), self._parts))

    @property
    def attrs(self) -> tuple[str, ...]:
        return tuple(attr for entry in self._parts.entries for attr in entry.attrs)

    def read_one(self, ext: dict[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        if any(attr in into for attr in self.attrs):
            ctx.keep(path, ext)
            return
        mark = len(ctx.extra)
        _read_fields(self._table, {}, ext, path, ctx, into)
        if not any(attr in into for attr in self.attrs):
            del ctx.extra[mark:]
            ctx.keep(path, ext)

    def write_all(self, model: Any, out: list[Any]) -> None:
        inner: dict[str, Any] = {}
        self._parts.write(model, inner)
        if inner:
            out.append({"url": self.url} | inner)


class OneExtended(_Attribute):
    """An element of at most one value, and extensions on it whose parts belong to the model beside it."""

    def __init__(self, attr: str, element: str, codec: Codec, *entries: Ext) -> None:
        super().__init__(attr, None)
        self._element, self._codec, self.entries = element, codec, entries
        self._by_url = {entry.url: entry for entry in entries}
        self.keys = (element,)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw, place = obj[self._element], join(path, self._element)
        sent = raw.get("extension") if type(raw) is dict else None
        if type(sent) is not list:
            self._read_rest(raw, place, ctx, into)
            return
        unknown = []
        for index, one in enumerate(sent):
            url = one.get("url") if type(one) is dict else None
            entry = self._by_url.get(url) if type(url) is str else None
            if entry is None:
                unknown.append(one)
            else:
                entry.read_one(one, f"{place}.extension[{index}]", ctx, into)
        rest = {key: value for key, value in raw.items() if key != "extension"}
        if unknown:
            rest["extension"] = unknown
        if rest:
            self._read_rest(rest, place, ctx, into)

    def _read_rest(self, raw: Any, place: str, ctx: Reading, into: dict[str, Any]) -> None:
        mark = len(ctx.extra)
        try:
            into[self.attr] = self._codec.read(raw, place, ctx)
        except Unreadable:
            del ctx.extra[mark:]
            ctx.keep(place, raw)

    def write(self, model: Any, out: dict[str, Any]) -> None:
        value = self.value(model)
        written = {} if value is None else self._codec.write(value)
        extensions: list[Any] = list(written.get("extension", ()))
        for entry in self.entries:
            entry.write_all(model, extensions)
        if extensions:
            written["extension"] = extensions
        if written:
            out[self._element] = written


_NO_DEFAULTS: Final[Mapping[str, Any]] = {}


class Struct(Codec):
    """A FHIR type as one type of the model.

    Args:
        model: Type of the model.
        fields: The table.
        defaults: What stands where the model demands a value and the source gave none.
    """

    primitive = False

    def __init__(self, model: type, *fields: Field, defaults: Mapping[str, Any] = _NO_DEFAULTS) -> None:
        self._model, self._fields, self._defaults = model, fields, defaults
        self._table, self._plain = _by_key(fields), _plain(fields)

    def read(self, raw: Any, path: str, ctx: Reading) -> Any:
        if type(raw) is not dict:
            raise Unreadable
        into: dict[str, Any] = dict(self._defaults)
        if raw == EMPTY_ELEMENT:
            return self._model(**into)
        read: dict[str, Any] = {}
        self.read_fields(raw, path, ctx, read)
        self.finish(read, raw, path, ctx)
        into.update(read)
        try:
            return self._model(**into)
        except ValidationError:
            raise Unreadable from None

    def read_fields(self, raw: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        """Read each member by the table; what no field knows is kept."""
        _read_fields(self._table, self._plain, raw, path, ctx, into)

    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        """Put together what several elements say; nothing to do for most types."""

    def write(self, value: Any) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for field in self._fields:
            field.write(value, out)
        return out or deepcopy(EMPTY_ELEMENT)


class ExtStruct(Struct):
    """An extension made of extensions, as one type of the model."""

    def __init__(self, model: type, *entries: Ext, defaults: Mapping[str, Any] = _NO_DEFAULTS) -> None:
        super().__init__(model, Skip("url"), Extensions(*entries), defaults=defaults)

    def read(self, raw: Any, path: str, ctx: Reading) -> Any:
        if type(raw) is dict and len(raw) == 2 and raw.get("extension") == EMPTY_ELEMENT["extension"]:
            return self._model(**self._defaults)
        return super().read(raw, path, ctx)
