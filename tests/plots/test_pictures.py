"""Pictures: PNG, SVG and HTML that can stand on any page, light or dark, many at a time."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from itertools import combinations
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.colors import to_hex, to_rgb

from mrkernel.config import use_session
from mrkernel.errors import OptionError
from mrkernel.plots import alt_text, figure_html, figure_png, figure_svg, plot_bundle, plot_table
from mrkernel.plots.look import COLOURS, GREY

WORDS = pa.table({"key": ["of", "the", "<and>"], "value": [34618, 63919, 51696]})


@pytest.fixture
def svg_setting():
    use_session(plot_format="svg")
    yield
    use_session(plot_format=None)


def image_of(html):
    found = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.append((tag, dict(attributes)))

    Parser().feed(html)
    (image,) = (attributes for tag, attributes in found if tag == "img")
    assert {tag for tag, _ in found} == {"div", "style", "img"}
    return image


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_colours_stand_out_from_light_and_dark_pages(page):
    def contrast(colour):
        light, dark = sorted((luminance(colour), luminance(page)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    assert all(contrast(colour) >= 3 for colour in COLOURS)
    assert contrast(GREY) >= 4


# What people see whose cones for red, green or blue are missing: Machado, Oliveira and Fernandes, 2009, severity 1.
SEEN = {
    "red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def lab(colour, cones=((1, 0, 0), (0, 1, 0), (0, 0, 1))):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    rgb = np.clip(np.array(cones) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(to_xyz) @ rgb / (0.9505, 1, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("cones", SEEN.values(), ids=SEEN)
def test_colours_are_told_apart_with_colour_blindness(cones):
    apart = [np.linalg.norm(lab(a, cones) - lab(b, cones)) for a, b in combinations(COLOURS, 2)]
    assert min(apart) > 15


def test_everything_that_is_text_is_grey_and_at_least_8_points():
    from matplotlib.text import Text

    axes = plot_table(pa.table({"x": [1, 2, 3], "low": [1, 2, 3], "high": [4, 5, 6]}), title="Both", total_rows=9)
    axes.figure.draw_without_rendering()
    texts = [text for text in axes.findobj(Text) if text.get_text()]
    assert {to_hex(text.get_color()) for text in texts} == {GREY}
    assert all(8 <= text.get_fontsize() <= 12 for text in texts)


def test_a_picture_in_html_has_its_words_its_size_and_its_data():
    image = image_of(figure_html(plot_table(WORDS, title="Most <frequent>")))
    assert image["alt"] == (
        "Bar chart “Most <frequent>”: value by key; highest values: the: 63,919; <and>: 51,696; of: 34,618."
    )
    assert (image["width"], image["height"]) == ("672", "155")
    assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_the_setting_chooses_between_png_and_svg(svg_setting):
    data, metadata = plot_bundle(plot_table(WORDS))
    assert set(data) == {"text/html", "image/svg+xml", "text/plain"}
    assert image_of(data["text/html"])["src"].startswith("data:image/svg+xml;base64,")
    assert metadata == {}
    use_session(plot_format=None)
    data, metadata = plot_bundle(plot_table(WORDS))
    assert set(data) == {"text/html", "image/png", "text/plain"}
    assert metadata == {"image/png": {"width": 672, "height": 155}}


def test_a_format_that_there_is_not_is_refused():
    with pytest.raises(OptionError, match="plot_format = 'gif' cannot be used: it must be png or svg"):
        use_session(plot_format="gif")


def test_two_svgs_on_one_page_share_no_id_and_run_nothing():
    first, second = (figure_svg(plot_table(WORDS, top=top)) for top in (2, 3))
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for svg, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg)) == own
        assert not re.search(r"<script|javascript:|\bon[a-z]+=|<foreignObject", svg)
        assert not [found for found in re.findall(r'href="([^"]+)"', svg) if not found.startswith(("#", "data:"))]
        assert svg.startswith('<svg role="img" aria-label="Bar chart: value by key')


def test_an_svg_is_the_same_whatever_matplotlib_is_set_to_and_changes_no_setting(monkeypatch):
    import matplotlib as mpl

    axes = plot_table(WORDS, top=2)
    assert ">the</text>" in figure_svg(axes)
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "theirs"}):
        theirs = figure_svg(axes)
    assert theirs == figure_svg(axes)

    changed = []
    monkeypatch.setattr(mpl.RcParams, "__setitem__", lambda params, key, value: changed.append(key))
    monkeypatch.setattr(mpl.RcParams, "update", lambda params, *values, **named: changed.append(values))
    figure_svg(axes)
    assert changed == []


def test_a_scatter_of_many_points_is_a_small_svg():
    axes = plot_table(pa.table({"x": [n % 977 for n in range(20_000)], "y": range(20_000)}))
    assert len(figure_svg(axes)) < 300_000


def test_pictures_of_colours_that_mean_numbers_are_known_to_the_style():
    keys = pa.array([{"0": f"r{n % 2}", "1": f"c{n // 2}"} for n in range(6)])
    heat = plot_table(pa.table({"key": keys, "value": range(6)}))
    assert image_of(figure_html(heat))["class"] == "mr-picture mr-heat"
    assert image_of(figure_html(plot_table(WORDS)))["class"] == "mr-picture"


def test_axes_that_were_changed_are_shown_and_told_as_they_are():
    axes = plot_table(WORDS, top=2)
    axes.set_title("Mine", loc="left")
    axes.set_xlabel("how often")
    assert alt_text(axes).startswith("Bar chart “Mine”: how often by key (top 2 of 3 keys)")
    data, _ = axes._repr_mimebundle_()
    assert data["text/plain"] == "plot of how often by key (top 2 of 3 keys)"


def test_a_plot_can_be_pickled():
    import pickle

    again = pickle.loads(pickle.dumps(plot_table(WORDS)))
    assert alt_text(again).startswith("Bar chart: value by key")


def test_the_background_is_transparent():
    from PIL import Image

    corner = Image.open(io.BytesIO(figure_png(plot_table(WORDS)))).convert("RGBA").getpixel((2, 2))
    assert corner[3] == 0


def test_keys_that_look_like_the_text_of_an_svg_are_shown_as_they_are():
    keys = [' id="x"', "url(#mask)", 'href="#top', "<g id='y'>"]
    svg = figure_svg(plot_table(pa.table({"key": keys, "value": [4, 3, 2, 1]})))
    texts = {"".join(one.itertext()) for one in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}  # noqa: S314  # our own
    assert set(keys) <= texts
