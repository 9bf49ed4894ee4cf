"""The widget's script in a bare page, as front ends without JupyterLab's colours show it: any state, any press."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from mrkernel.progress import (
    Eta,
    Lane,
    LogLine,
    Progress,
    StageProgress,
    WorkerState,
    progress_state,
)
from mrkernel.widgets.progress import ProgressWidget

pytestmark = pytest.mark.ui

EVIL = "<img src=x onerror=document.title='hit'>"
STAGES = (
    StageProgress(name="map", state="finished", done=10_000, total=10_000, records=10**7, bytes_in=3 * 10**8,
                  seconds=50.0, retried=3, failed=2),
    StageProgress(name="shuffle", state="finished", done=64, total=64, records=70_000, bytes_in=10**6, seconds=3.0),
    StageProgress(name="reduce", state="running", done=20, total=64, running=8, records=23_000, seconds=4.0),
)  # fmt: skip
LANES = tuple(
    Lane(
        worker=f"worker-{n}",
        cells="m" * (20 + n) + "w" * 4 + "." * (9 - n) + "fff" + "r" * 8 + ("x.t" if n == 3 else "rrc"),
    )
    for n in range(1, 9)
)
LOG = (
    LogLine(at_s=12.0, kind="worker", text="worker-3 was lost while it ran map task 812"),
    LogLine(at_s=12.1, kind="retry", text="map task 812 runs again: worker lost"),
    LogLine(at_s=31.0, kind="spill", text="map task 4,001 wrote 3 runs: its pairs did not fit 64 MiB"),
    LogLine(at_s=53.0, kind="plan", text="64 partitions dealt to 8 reduce tasks by their rows"),
)
BUSY = Progress(
    job_id="j", name="word count", state="running", stages=STAGES, seconds=57.0, idle_s=0.4, lanes=LANES, bucket_s=1.0,
    workers=tuple(WorkerState(name=f"worker-{n}", memory=n * 10**8, memory_limit=4 * 10**9, scratch_bytes=n * 10**7,
                              state="lost" if n == 3 else "running") for n in range(1, 9)),
    log=LOG, eta=Eta(seconds=9.0, low_s=7.0, high_s=14.0), lanes_left_out=4,
)  # fmt: skip
PAGE = """<!doctype html><html lang="en"><title>page</title><body><main></main></body></html>"""
OPEN = """async ([code, css, state]) => {
    document.head.append(Object.assign(document.createElement("style"), {textContent: css}));
    const url = URL.createObjectURL(new Blob([code], {type: "text/javascript"}));
    const listeners = new Set();
    window.sent = [];
    window.model = {get: () => state, send: message => window.sent.push(message.cmd), set: to => { state = to; },
        on: (_, call) => listeners.add(call), off: (_, call) => listeners.delete(call)};
    window.show = to => { state = to; listeners.forEach(call => call()); };
    const {default: make} = await import(url);
    window.close_ = (await make()).render({model: window.model, el: document.querySelector("main")});
    window.listeners = listeners;
}"""


def state_of(progress, **own):
    widget = ProgressWidget(progress_state(progress, kernel="ipykernel 6.31.0: use Interrupt"), stop=print, leave=print)
    state = {**widget.state, **own}
    widget.close()
    return state


@pytest.fixture
def open_page(chromium):
    contexts = []

    def open_(state, **options):
        contexts.append(chromium.new_context(viewport={"width": 900, "height": 640}, **options))
        page = contexts[-1].new_page()
        page.set_content(PAGE)
        page.evaluate(OPEN, [ProgressWidget._esm, ProgressWidget._css, state])
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("scheme", "blue"), [("light", [0, 114, 178, 255]), ("dark", [74, 163, 223, 255])])
def test_details_tell_all_kinds_of_work_and_trouble(open_page, shots, scheme, blue):
    page = open_page(state_of(BUSY), color_scheme=scheme)
    if scheme == "dark":
        page.add_style_tag(content="body { background: #111 }")
    expect(page.get_by_text("about 9 s left (7 to 14 s) · reduce 20 of 64")).to_be_visible()
    page.get_by_role("button", name="Details").click()
    expect(page.get_by_role("cell", name="2 failed, 3 retried")).to_be_visible()
    expect(page.get_by_role("cell", name="lost")).to_be_visible()
    expect(page.get_by_text("4 workers more")).to_be_visible()
    for kind in (
        "read and map",
        "shuffle write",
        "fetch",
        "reduce",
        "merge and commit",
        "failed",
        "retried",
        "waiting",
    ):
        expect(page.locator(".mr-legend").get_by_text(kind, exact=True)).to_be_visible()
    lane = page.get_by_role("img", name="worker worker-3")
    assert lane.evaluate("lane => [...lane.getContext('2d').getImageData(2, 8, 1, 1).data]") == blue
    name = lane.get_attribute("aria-label")
    assert "read and map 49 %" in name
    expect(page.get_by_role("list", name="what happened").get_by_role("listitem")).to_have_count(4)
    page.screenshot(path=shots / f"progress-busy-{scheme}.png")


def test_first_press_cancels_and_the_second_forces(open_page):
    page = open_page(state_of(BUSY))
    page.get_by_role("button", name="Cancel").press("Enter")
    page.get_by_role("button", name="Force stop").press("Space")
    expect(page.get_by_role("button", name="Stopping")).to_be_disabled()
    assert page.evaluate("sent") == ["hello", "cancel", "cancel"]
    # The kernel has not said that it heard anything.
    expect(page.get_by_text("The kernel has not answered. ipykernel 6.31.0: use Interrupt")).to_be_visible(
        timeout=5_000
    )
    page.evaluate("state => show(state)", state_of(BUSY, asked=2))
    expect(page.get_by_text("has not answered")).to_be_hidden()
    assert "cancelling" in page.get_by_role("status").last.inner_text()


def test_end_takes_the_buttons_and_keeps_the_numbers(open_page):
    page = open_page(state_of(BUSY))
    page.evaluate("state => show(state)", {**state_of(BUSY), "state": "cancelled"})
    expect(page.get_by_text("cancelled after 57.0 s")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    page.get_by_role("button", name="Details").click()
    expect(page.get_by_role("cell", name="10,000 of 10,000", exact=True)).to_be_visible()
    page.evaluate("close_()")
    assert page.evaluate("listeners.size") == 0


def test_texts_of_the_job_are_text(open_page):
    stages = (StageProgress(name=EVIL, state="running", total=2, running=1),)
    lanes, workers = (Lane(worker=EVIL, cells="mx"),), (WorkerState(name=EVIL, state=EVIL),)
    hostile = Progress(name=EVIL, state="running", stages=stages, lanes=lanes, workers=workers, bucket_s=1.0,
                       notes=(EVIL,), log=(LogLine(at_s=1.0, kind=EVIL, text=f"{EVIL} failed"),))  # fmt: skip
    page = open_page(state_of(hostile))
    page.get_by_role("button", name="Details").click()
    expect(page.get_by_text(EVIL).first).to_be_visible()
    assert page.locator("img").count() == 0
    assert page.title() == "page"


def test_many_lanes_are_drawn_within_a_frame(open_page):
    """A hundred states of 32 workers, each drawn whole; what 10,000 tasks did is never more than these cells."""
    lanes = tuple(Lane(worker=f"worker-{n}", cells="mwfr." * 48) for n in range(32))
    page = open_page(state_of(Progress(name="many", state="running", stages=STAGES, lanes=lanes, bucket_s=1.0)))
    page.get_by_role("button", name="Details").click()
    seconds = page.evaluate("""() => { const began = performance.now();
        for (let n = 0; n < 100; n++) show({...model.get(), seconds: n});
        return (performance.now() - began) / 1000 }""")
    assert seconds / 100 < 0.016
    widths = page.locator("canvas").evaluate_all("all => all.map(one => one.width)")
    assert len(widths) == 32
    assert min(widths) > 100


def test_motion_stops_where_it_is_not_wanted(open_page):
    page = open_page(state_of(BUSY), reduced_motion="reduce")
    bar = page.get_by_role("progressbar", name="reduce").first.locator("div")
    assert bar.evaluate("bar => getComputedStyle(bar).transitionDuration") == "0s"
