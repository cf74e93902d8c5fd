"""docs/stack.schema.json accepts and refuses what `msorch validate` does (the same table of stacks)."""
import json
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = json.loads((ROOT / 'docs/stack.schema.json').read_text())
STACKS = ROOT / 'Tests/Fixtures/stacks'


def validator():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return jsonschema.Draft202012Validator(SCHEMA)


@pytest.mark.parametrize('path', [ROOT / 'stack.json', *sorted(STACKS.glob('good/*.json'))], ids=lambda p: p.name)
def test_good(path):
    assert list(validator().iter_errors(json.loads(path.read_text()))) == []


@pytest.mark.parametrize('path', sorted(STACKS.glob('bad/*.json')), ids=lambda p: p.name)
def test_bad(path):
    assert len(list(validator().iter_errors(json.loads(path.read_text())))) == 1
