"""The example that `tasks show` gives of each task here is one that its worker would take."""

import json

import pytest

from devstack.services import ROOT
from taskclient.contract_check import ContractCheck
from taskclient.contract_file import read_contracts
from taskclient.example import example_of


@pytest.mark.parametrize("entry", read_contracts([ROOT / "services"]), ids=lambda entry: entry.name)
def test_the_example_fits_the_contract(entry):
    example = json.dumps(example_of(entry.parameters)).encode()
    ContractCheck(entry.name, entry.parameters).check(example)
