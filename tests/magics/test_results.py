"""What the widget of a result is told, and when a cell shows one."""

from __future__ import annotations

import json
import threading

import pytest
from pyarrow import ipc

import mrkernel as mr
from mrkernel.errors import MrkernelError
from mrkernel.magics.results import Answers
from mrkernel.widgets.results import ResultsView

WIDGET = "application/vnd.jupyter.widget-view+json"
EVIL = "<img src=x onerror=alert(1)>"
COUNT = """import mrkernel as mr
data = list(range(30))
counts = mr.run(mr.Job(lambda n: (n % 3, 1), sum), range(30), progress=False)"""


@pytest.fixture
def answers(inline):
    def mapper(word):
        mr.counter("seen")
        yield word, len(word)

    return Answers(inline(mr.Job(mapper, sum), ["a", "bbb", "cc", EVIL]))


def test_answers_are_pages_in_any_order(answers):
    said, (page,) = answers({"op": "page", "start": 1, "size": 2, "column": "value", "descending": True})
    assert said == {"cut": []}
    assert ipc.open_stream(page).read_all().to_pydict() == {"key": ["bbb", "cc"], "value": [3, 2]}


def test_rows_that_a_variable_holds_go_with_it(inline):
    result = inline(mr.Job(lambda n: (n % 2, 1), sum), range(4))
    answers, others = Answers(result, is_bound=True), Answers(result)
    question = {"op": "page", "start": 0, "size": 1}
    assert answers(question) == others(question)
    del result, others
    with pytest.raises(MrkernelError, match="these rows are gone: no variable holds them any more"):
        answers(question)


def test_answers_are_texts_and_csv(answers):
    assert answers({"op": "text", "rank": 0, "name": "key", "column": "value"})[0] == {"text": "a"}
    said, _ = answers({"op": "csv", "column": "value", "descending": False})
    assert said == {"text": f"key,value\na,1\ncc,2\nbbb,3\n{EVIL},28\n", "rows": 4}


def test_views_with_nothing_to_say_are_left_out(answers, inline):
    assert answers.tabs == ["table", "plot", "counters", "stages", "skew", "plan"]
    assert Answers(inline(mr.Job(lambda n: (str(n), "x")), [1, 2])).tabs == ["table", "stages", "plan"]


def test_views_are_plain_data(answers):
    assert answers({"op": "tab", "name": "counters"})[0]["rows"] == [["seen", "4"]]
    stages, (picture,) = answers({"op": "tab", "name": "stages"})
    assert picture.startswith(b"\x89PNG")
    assert [row[0] for row in stages["rows"]] == ["map", "reduce"]
    assert "finished in" in stages["note"]
    assert "input" in [row[0] for row in answers({"op": "tab", "name": "plan"})[0]["rows"]]


def test_plot_comes_with_words_for_those_who_see_none(answers):
    said, (picture,) = answers({"op": "tab", "name": "plot"})
    assert picture.startswith(b"\x89PNG")
    assert "value" in said["alt"]


def test_heavy_keys_are_a_view(inline):
    result = inline(mr.Job(lambda n: (n % 10 and EVIL, n), len), range(100))
    answers = Answers(result)
    assert "skew" in answers.tabs
    said = answers({"op": "tab", "name": "skew"})[0]
    assert said["kind"] == "text"
    assert EVIL in said["text"]
    assert "90.0%" in said["text"]


def test_bad_records_are_a_view(inline):
    result = inline(mr.Job(lambda text: (int(text) % 2, 1), sum), ["1", "2", EVIL], on_error="collect")
    said = Answers(result)({"op": "tab", "name": "bad records"})[0]
    assert "1 of 3 records was set aside" in said["note"]
    (row,) = said["rows"]
    assert EVIL in dict(zip(said["head"], row, strict=True))["record"]


@pytest.mark.parametrize("question", [{"op": "page", "start": 0, "size": 1, "column": "nope"}, {"op": "what"},
                                      {"op": "tab", "name": "what"}])  # fmt: skip
def test_question_without_an_answer_gets_its_error_and_its_number(answers, question):
    view = ResultsView({}, b"", answers)
    sent = []
    view.send = lambda content, buffers: sent.append((content, buffers))
    view._handle_custom_msg({**question, "id": "page-1"}, [])
    for thread in threading.enumerate():
        if thread.name == "mrkernel page":
            thread.join()
    ((content, buffers),) = sent
    assert content["id"] == "page-1"
    assert any(
        words in content["error"] for words in ("cannot sort by 'nope'", "no answer to 'what'", "no view 'what'")
    )
    assert buffers == []
    view.close()


def test_answer_that_cannot_be_sent_is_an_error_of_its_question():
    view, sent = ResultsView({}, b"", lambda question: ({"text": "bad \ud800"}, [])), []
    view.send = lambda content, buffers: sent.append(json.dumps(content, ensure_ascii=False).encode())
    view._say({"id": "page-1"})
    assert [json.loads(one)["id"] for one in sent] == ["page-1"]
    assert "surrogates not allowed" in json.loads(sent[0])["error"]
    view.close()


def test_scripts_of_the_widget_fetch_nothing_and_take_no_markup():
    script = ResultsView._esm.replace('"http://www.w3.org/2000/svg"', "")
    assert [word for word in ("fetch(", "XMLHttpRequest", "import(", "http:", "https:", ".innerHTML", "insertAdjacent",
                              "document.write") if word in script] == []  # fmt: skip


@pytest.mark.cluster
def test_result_of_a_cell_shows_as_widget_and_static_form_where_somebody_watches(kernel):
    ran = kernel.run(f"{COUNT}\ncounts").succeeded()
    assert [set(data) for data in ran.displays] == [{WIDGET, "text/plain"}]
    (shown,) = ran.results
    assert set(shown) == {"text/html", "text/plain"}
    assert "3 rows, 2 columns" in shown["text/plain"]
    assert '<table class="mr-data">' in shown["text/html"]


@pytest.mark.cluster
def test_result_of_a_cell_is_static_where_nobody_watches(kernel):
    ran = kernel.run(f"{COUNT}\ncounts", is_watched=False).succeeded()
    assert ran.displays == []
    assert "data-mr-fallback" not in ran.results[0]["text/html"]


@pytest.mark.cluster
@pytest.mark.parametrize(
    "lacking",
    [
        "sys.modules['mrkernel.widgets.results'] = None",
        "import mrkernel.widgets.results as r; r.ResultsView, kept = None, r.ResultsView",
    ],
)
def test_result_is_static_where_the_widget_cannot_be_made(kernel, lacking):
    kernel.run(f"import sys; {lacking}").succeeded()
    try:
        ran = kernel.run(f"{COUNT}\ncounts").succeeded()
        cell = kernel.run("%%mapreduce -i data -o counted --no-plot\ndef mapper(n):\n    yield n % 3, 1").succeeded()
    finally:
        kernel.run("sys.modules.pop('mrkernel.widgets.results')").succeeded()
    assert ran.displays == []
    assert "3 rows, 2 columns" in ran.results[0]["text/plain"]
    assert "30 rows, 2 columns" in cell.displays[-1]["text/plain"]
    assert "data-mr-fallback" not in cell.displays[-1]["text/html"]
