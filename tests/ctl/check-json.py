#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-json.py SCHEMA [--kind KIND] [FILE…]: JSON documents, from files, folders or
standard input, are as docs/vfio-bindctl.schema.json says. Knows the keywords that the schema uses, and no others:
one that it does not know is an error, so that nothing passes unchecked. An object that the schema
describes may have no key that it does not name: what is printed is documented."""
import json
import pathlib
import re
import sys

KNOWN = {'$schema', '$defs', '$ref', 'title', 'description', 'type', 'required', 'properties',
         'oneOf', 'anyOf', 'allOf', 'const', 'enum', 'items', 'prefixItems', 'minItems',
         'maxItems', 'minimum', 'maximum', 'pattern'}
TYPES = {'object': dict, 'array': list, 'string': str, 'boolean': bool, 'null': type(None)}


def has_type(value, name):
    if name == 'integer':
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


class Checker:
    def __init__(self, schema):
        self.root = schema

    def resolve(self, reference):
        node = self.root
        for part in reference.removeprefix('#/').split('/'):
            node = node[part]
        return node

    def problems(self, value, schema, where):
        """Yields what is wrong."""
        unknown = set(schema) - KNOWN
        if unknown:
            sys.exit(f'the schema has keywords that are not understood: {sorted(unknown)}')
        if '$ref' in schema:
            yield from self.problems(value, self.resolve(schema['$ref']), where)
        if 'const' in schema and value != schema['const']:
            yield f'{where} is not {schema["const"]!r}'
        if 'enum' in schema and value not in schema['enum']:
            yield f'{where} is {value!r}, none of {schema["enum"]}'
        if 'type' in schema:
            types = schema['type'] if isinstance(schema['type'], list) else [schema['type']]
            if not any(has_type(value, name) for name in types):
                yield f'{where} is {value!r}, not {types}'
                return
        for part in schema.get('allOf', ()):
            yield from self.problems(value, part, where)
        for keyword in ('anyOf', 'oneOf'):
            if keyword in schema:
                yield from self.alternatives(value, schema[keyword], where, keyword == 'oneOf')
        if isinstance(value, dict):
            yield from self.object_problems(value, schema, where)
        if isinstance(value, list):
            yield from self.array_problems(value, schema, where)
        if isinstance(value, str) and not re.search(schema.get('pattern', ''), value):
            yield f'{where} is {value!r}, not as {schema["pattern"]}'
        if has_type(value, 'integer'):
            if value < schema.get('minimum', value) or value > schema.get('maximum', value):
                yield f'{where} is {value}'

    def alternatives(self, value, schemas, where, only_one):
        found = [list(self.problems(value, schema, where)) for schema in schemas]
        n = sum(not problems for problems in found)
        if n == 0:
            yield min(found, key=len)[0]
        elif only_one and n > 1:
            yield f'{where} is as {n} alternatives say'

    def object_problems(self, value, schema, where):
        for key in schema.get('required', ()):
            if key not in value:
                yield f'{where} has no {key}'
        for key, part in schema.get('properties', {}).items():
            if key in value:
                yield from self.problems(value[key], part, f'{where}.{key}')

    def array_problems(self, value, schema, where):
        if not schema.get('minItems', 0) <= len(value) <= schema.get('maxItems', len(value)):
            yield f'{where} has {len(value)} items'
        first = schema.get('prefixItems', [])
        for i, (item, part) in enumerate(zip(value, first)):
            yield from self.problems(item, part, f'{where}[{i}]')
        for i, item in enumerate(value[len(first):]):
            yield from self.problems(item, schema.get('items', {}), f'{where}[{i}]')


def all_keys(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from all_keys(item)
    if isinstance(value, list):
        for item in value:
            yield from all_keys(item)


def documented_keys(node):
    if isinstance(node, dict):
        yield from node.get('properties', {})
        for item in node.values():
            yield from documented_keys(item)
    if isinstance(node, list):
        for item in node:
            yield from documented_keys(item)


def check(checker, documented, name, text, kind):
    document = json.loads(text)
    problems = list(checker.problems(document, checker.root, 'document'))
    problems += [f'{key} is not in the schema' for key in set(all_keys(document)) - documented]
    if kind and document.get('Kind') != kind:
        problems.append(f'Kind is {document.get("Kind")!r}')
    for problem in problems:
        print(f'{name}: {problem}', file=sys.stderr)
    return not problems


def main():
    arguments = sys.argv[1:]
    schema = json.loads(pathlib.Path(arguments.pop(0)).read_text())
    kind = None
    if arguments[:1] == ['--kind']:
        kind = arguments[1]
        arguments = arguments[2:]
    checker, documented = Checker(schema), set(documented_keys(schema))
    paths = [path for name in arguments for path in
             (sorted(pathlib.Path(name).rglob('*.json')) if pathlib.Path(name).is_dir()
              else [pathlib.Path(name)])]
    texts = [(path, path.read_text()) for path in paths]
    if kind:
        texts = [('standard input', sys.stdin.read())]
    if not texts:
        sys.exit('nothing to check')
    results = [check(checker, documented, name, text, kind) for name, text in texts]
    sys.exit(0 if all(results) else 1)


main()
