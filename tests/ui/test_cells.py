"""The cells that a first hour brings, in JupyterLab: real input, a mistake of each kind, ``%%time``, Stop, again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.ui, pytest.mark.cluster]

KJV = Path(__file__).parents[2] / "notebooks" / "data" / "kjv"
LOAD = "%load_ext mrkernel"
COUNT = """%%mapreduce -i kjv/*.txt -o counts
def mapper(line):
    reference, text = line.split(" ", 1)
    for word in text.lower().split():
        yield word, 1

reducer = sum"""
FAIL = """%%mapreduce -i kjv/*.txt -o broken
def mapper(line):
    reference, text = line.split(" ", 1)
    chapter, verse = reference.split(":")
    yield chapter, len(text) / (int(verse) - 17)

reducer = max"""
WRONG = """%%mapreduce -i kjv/*.txt --chunksize 1MB
def mapper(line):
    yield line, 1"""
EMPTY = COUNT.replace("kjv/*.txt -o counts", "empty.txt -o nothing")
SLOW = """import time
import mrkernel as mr

def patiently(line):
    time.sleep(0.01)
    yield line[0], 1

lines = mr.run(mr.Job(patiently, sum), "kjv/*.txt", chunk_size="200 kB")"""
WORKERS = "from mrkernel.cluster import current; [worker.pid for worker in current().workers()]"
AGAIN = """lines = mr.run(mr.Job(lambda line: [(line[0], 1)], sum, name="again"), "kjv/*.txt")
sum(value for _, value in lines)"""


@pytest.fixture
def folder(lab):
    shutil.copytree(KJV, lab.folder / "kjv", dirs_exist_ok=True)
    (lab.folder / "empty.txt").write_text("")
    return lab.folder


def test_cells_of_a_first_hour(lab, folder, open_notebook, shots):
    cells = [LOAD, COUNT, FAIL, WRONG, EMPTY, f"%%time\n{COUNT}"]
    lab.write("hour.ipynb", *cells)
    notebook = open_notebook("hour.ipynb", height=4200)
    for number in range(len(cells)):
        notebook.run(number)
    expect(notebook.output(1).get_by_text("finished in")).to_be_visible()
    expect(notebook.output(1).locator(".mr-live").get_by_text("rows, 2 columns")).to_be_visible()
    card = notebook.output(2).get_by_role("group", name="failure")
    expect(card.locator("mark")).to_contain_text("yield chapter, len(text) / (int(verse) - 17)")
    expect(card).to_contain_text("Cell In[3], line 5, in mapper")
    expect(card).to_contain_text("kjv/")
    expect(card).to_contain_text("stage map")
    expect(notebook.output(3)).to_contain_text("did you mean --chunk-size?")
    expect(notebook.output(4).locator(".mr-live").get_by_text("0 rows, 2 columns")).to_be_visible()
    expect(notebook.output(5).get_by_text("Wall time")).to_be_visible()
    notebook.shoot(shots / "hour")


def test_stop_button_ends_a_plain_cell_and_the_next_runs_at_full_width(lab, folder, open_notebook, shots):
    lab.write("stop.ipynb", LOAD, SLOW, AGAIN, WORKERS)
    notebook = open_notebook("stop.ipynb")
    notebook.run(0)
    notebook.run(1, wait=False)
    notebook.output(1).get_by_role("progressbar", name="map").wait_for(timeout=30_000)
    notebook.page.screenshot(path=shots / "stop-running.png")
    notebook.page.get_by_role("button", name="Interrupt the kernel").click()
    expect(notebook.output(1).get_by_text("JobInterruptedError")).to_be_visible(timeout=2_500)
    expect(notebook.output(1)).to_contain_text("interrupted after")
    notebook.run(2)
    expect(notebook.output(2)).to_contain_text("31102")
    notebook.run(3)
    assert len(json.loads(notebook.output(3).inner_text().split(":")[-1])) == 2
    notebook.shoot(shots / "stop")
