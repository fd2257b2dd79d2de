"""test_states.py - all states of the mapping database with five nodes (make check: four)"""

import subprocess

from conftest import BUILD, REPO


def test_mappings_of_five_nodes_are_as_specified():
    subprocess.run(["make", "-s", f"O={BUILD}", f"{BUILD}/host/test_map_states"], cwd=REPO,
                   check=True, timeout=600)
    run = subprocess.run([f"{BUILD}/host/test_map_states", "each"], capture_output=True, text=True,
                         timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "five nodes: 144200 states, 52777200 transitions" in run.stdout
