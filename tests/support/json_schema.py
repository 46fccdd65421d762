"""As much of JSON Schema as ours uses: where a value is not what its schema says."""

TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
KNOWN = {"$ref", "anyOf", "enum", "type", "properties", "required", "additionalProperties", "items", "description"}


def wrong_with(value, schema, defs, where="$"):
    """Each fault, as a place and what is wrong there."""
    assert set(schema) <= KNOWN, f"{where}: {set(schema) - KNOWN} is not looked at"
    if "$ref" in schema:
        return wrong_with(value, defs[schema["$ref"].rpartition("/")[2]], defs, where)
    if "anyOf" in schema:
        found = [wrong_with(value, each, defs, where) for each in schema["anyOf"]]
        return min(found, key=len) if all(found) else []
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value!r}"]
    if "type" in schema and not TYPES[schema["type"]](value):
        return [f"{where}: {value!r} is no {schema['type']}"]
    if isinstance(value, list):
        inside = enumerate(value)
        return [each for at, one in inside for each in wrong_with(one, schema.get("items", {}), defs, f"{where}[{at}]")]
    return _wrong_with_object(value, schema, defs, where) if isinstance(value, dict) else []


def _wrong_with_object(value, schema, defs, where):
    known, more = schema.get("properties", {}), schema.get("additionalProperties", {})
    found = [f"{where}.{key} is missing" for key in schema.get("required", []) if key not in value]
    for key, inner in value.items():
        if key not in known and more is False:
            found.append(f"{where}.{key} is not in the schema")
        else:
            found += wrong_with(inner, known.get(key, more), defs, f"{where}.{key}")
    return found
